"""trackai import trackio"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trackai.cli.imports import tracker_command
from trackai.importers.trackers import TRACKERS

if TYPE_CHECKING:
    from trackai.importers.source import Source


@tracker_command
def trackio(*args: Any, **options: Any) -> Source:
    """Import a local trackio folder.

    PATH is the folder (usually ~/.cache/huggingface/trackio), or the database of one project in
    it. Importing again adds what is new. The exit code is 4 if something could not be stored;
    the printed receipt lists it.
    """
    return TRACKERS["trackio"].source(*args, **options)
