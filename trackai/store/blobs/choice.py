"""Where a database that several servers share has its files: TRACKAI_FILES."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trackai.errors import InvalidInputError, MissingExtraError
from trackai.store.blobs.folder import FolderBlobs

if TYPE_CHECKING:
    from trackai.store.blobs.blob_store import BlobStore


def shared_blobs(place: str | None) -> BlobStore:
    """The folder or the bucket that all servers of a database share.

    Args:
        place: a path, or a URL such as s3://BUCKET/PREFIX?endpoint=URL.

    Raises:
        InvalidInputError: it is missing or invalid.
        MissingExtraError: a package for buckets is not installed.
    """
    if not place:
        raise InvalidInputError(
            "TRACKAI_FILES",
            "must be set for a database on a server: to a folder that all servers of the database "
            "share, or to a bucket such as s3://BUCKET/PREFIX",
        )
    if "://" not in place:
        return FolderBlobs(Path(place).expanduser().absolute(), is_shared=True)
    try:
        from trackai.store.blobs.bucket import BucketBlobs
    except ModuleNotFoundError:
        raise MissingExtraError("keeping files in a bucket", "s3") from None
    return BucketBlobs(place)
