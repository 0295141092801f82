"""Browser sessions: signing in with the API key or a one-time code, for a signed cookie.

Scripts cannot read the cookie, and pages of other sites cannot make the browser send it. It
contains its expiry time, a random id, and a signature made with the API key. The server stores
only the ids of sessions that were signed out: sessions survive a restart, and a new key ends them
all. The cookie's name depends on the key as well, because browsers share cookies between the ports
of a host: two servers on one host do not overwrite each other's cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import NamedTuple

# The lifetimes of a session, and of a sign-in code.
SECONDS = 30 * 24 * 3600
_CODE_SECONDS = 3600.0


class BrowserSession(NamedTuple):
    """A session: its random id, and when it expires in seconds since the epoch."""

    id: str
    expires: int


class Sessions:
    """Issues and checks the sessions of a server with the API key `key`.

    Attributes:
        cookie: the name of the session cookie.
    """

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._digest = hashlib.sha256(self._key).digest()
        self._ended: dict[str, int] = {}
        self.cookie = f"trackai-{self._signature('name')[:12]}"
        self._codes: dict[str, float] = {}

    def is_key(self, candidate: bytes) -> bool:
        """Whether `candidate` is the API key, compared in constant time for all lengths."""
        return hmac.compare_digest(hashlib.sha256(candidate).digest(), self._digest)

    def create_code(self) -> str:
        """Create a sign-in code: valid once and for an hour, as printed text may be logged."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = time.monotonic() + _CODE_SECONDS
        return code

    def check(self, key_or_code: bytes) -> bool:
        """Whether this is the API key or a valid code; a code is then used up."""
        if self.is_key(key_or_code):
            return True
        for code, expires in list(self._codes.items()):
            if hmac.compare_digest(key_or_code, code.encode()):
                del self._codes[code]
                return time.monotonic() < expires
        return False

    def create(self) -> str:
        """Create a session, and return the value of its cookie."""
        head = f"{int(time.time()) + SECONDS}.{secrets.token_hex(16)}"
        return f"{head}.{self._signature(f'until {head}')}"

    def find(self, value: str) -> BrowserSession | None:
        """The session with this cookie; None if it is invalid, has expired or was ended."""
        head, _, signature = value.rpartition(".")
        expected = self._signature(f"until {head}")
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            return None
        expires, _, session_id = head.partition(".")  # signed by this server, so it is well-formed
        session = BrowserSession(session_id, int(expires))
        is_over = session.expires <= time.time() or session.id in self._ended
        return None if is_over else session

    def end(self, *sessions: BrowserSession) -> None:
        """End sessions, and forget those that have expired."""
        now = time.time()
        self._ended.update(sessions)
        self._ended = {id_: expires for id_, expires in self._ended.items() if expires > now}

    def _signature(self, text: str) -> str:
        # The prefix keeps these signatures distinct from others made with the same key.
        return hmac.new(self._key, f"trackai session {text}".encode(), "sha256").hexdigest()
