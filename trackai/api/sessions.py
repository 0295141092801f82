"""Browser sessions: signing in with an API key or a one-time code, for a signed cookie.

Scripts cannot read the cookie, and pages of other sites cannot make the browser send it. It
contains its expiry time, a random id, the fingerprint of the key it was made with, and a signature.
A code has the same parts, so that any server of a database accepts it. The server stores only the
ids of sessions that were signed out, and of codes that were used: sessions survive a restart. They
are signed with the shared key of the server, and a new one ends them all; without a shared key,
with a secret in the spool folder, or in a database on PostgreSQL, whose servers share it. The
cookie's name depends on that too, because browsers share cookies between the ports of a host: two
servers on one host do not overwrite each other's cookie.
"""

from __future__ import annotations

import hmac
import os
import secrets
import time
from contextlib import suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

from trackai.store.catalogue import secrets as stored_secrets

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.store.engine.store import Store

# The lifetimes of a session, and of a sign-in code.
SECONDS = 30 * 24 * 3600
_CODE_SECONDS = 3600
_SECRET_BYTES = 32
_NAME = "session-secret"


class BrowserSession(NamedTuple):
    """A session or a code: its random id, and when it expires in seconds since the epoch.

    Attributes:
        fingerprint: of its key; None for the shared key or a code, which allow everything.
    """

    id: str
    expires: int
    fingerprint: str | None = None


class Sessions:
    """Issues and checks the sessions of a server.

    Args:
        key: the shared key of the server.
    """

    def __init__(self, key: str | None = None) -> None:
        self._shared = key
        self._ended: dict[str, int] = {}
        self._secret_path: Path | None = None
        self._secret: bytes | None = None

    async def set_up(self, db: Store) -> None:
        """Find the secret of a server without a shared key, before the first session.

        Raises:
            StoreError: the database cannot be read.
        """
        if db.spool is not None:
            self._secret_path = db.spool / _NAME
        elif self._shared is None:
            self._secret = await db.look(partial(stored_secrets.find, name=_NAME))
            if self._secret is None and not db.is_read_only:
                new = secrets.token_bytes(_SECRET_BYTES)
                self._secret = await db.change(
                    partial(stored_secrets.find_or_create, name=_NAME, value=new)
                )

    @cached_property
    def _key(self) -> bytes:
        if self._shared is not None:
            return self._shared.encode()
        return self._secret or _stored_secret(self._secret_path)

    @cached_property
    def cookie(self) -> str:
        """The name of the session cookie."""
        return f"trackai-{self._signature('name')[:12]}"

    def create_code(self) -> str:
        """Create a sign-in code: valid once and for an hour, as printed text may be logged."""
        head = f"{int(time.time()) + _CODE_SECONDS}.{secrets.token_hex(8)}"
        return f"{head}.{self._code_signature(head)}"

    def find_code(self, candidate: bytes) -> BrowserSession | None:
        """The code with this text; None if it is invalid, has expired or was used here.

        `end` uses it up.
        """
        head, _, signature = candidate.decode("ascii", "replace").rpartition(".")
        expected = self._code_signature(head)
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            return None
        expires, code_id = head.split(".")  # signed here, so it is well-formed
        code = BrowserSession(code_id, int(expires))
        return code if self.is_valid(code) else None

    def _code_signature(self, head: str) -> str:
        # Half of it is enough for an hour, and shortens the link.
        return self._signature(f"code until {head}")[:32]

    def create(self, fingerprint: str | None = None) -> str:
        """Create a session, and return the value of its cookie.

        Args:
            fingerprint: of its key; None for the shared key or a code.
        """
        head = f"{int(time.time()) + SECONDS}.{secrets.token_hex(16)}"
        if fingerprint is not None:
            head += f".{fingerprint}"
        return f"{head}.{self._signature(f'until {head}')}"

    def find(self, value: str) -> BrowserSession | None:
        """The session with this cookie; None if it is invalid, has expired or was ended."""
        head, _, signature = value.rpartition(".")
        expected = self._signature(f"until {head}")
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            return None
        expires, session_id, *fingerprint = head.split(".")  # signed here, so it is well-formed
        session = BrowserSession(session_id, int(expires), *fingerprint)
        return session if self.is_valid(session) else None

    def is_valid(self, session: BrowserSession) -> bool:
        """Whether a session or a code has neither expired nor been ended."""
        return session.expires > time.time() and session.id not in self._ended

    def end(self, *sessions: BrowserSession) -> None:
        """End sessions, use up codes, and forget those that have expired."""
        now = time.time()
        self._ended.update({session.id: session.expires for session in sessions})
        self._ended = {id_: expires for id_, expires in self._ended.items() if expires > now}

    def _signature(self, text: str) -> str:
        # The prefix keeps these signatures distinct from others made with the same key.
        return hmac.new(self._key, f"trackai session {text}".encode(), "sha256").hexdigest()


def _stored_secret(path: Path | None) -> bytes:
    """The secret in a file that only its owner can read, which is created if it does not exist.

    If that fails, sessions end with the process.
    """
    secret = secrets.token_bytes(_SECRET_BYTES)
    if path is not None:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with open(fd, "wb") as file:  # noqa: PTH123 - a descriptor
                    file.write(secret)
            stored = path.read_bytes()
            if len(stored) == _SECRET_BYTES:
                return stored
    return secret
