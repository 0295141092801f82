"""Signing in: how a browser, which cannot be told to send a key, shows that it has had it.

A session is a cookie that no script can read and that no other site makes the browser send. It
says until when it holds, and is signed with the key: nothing is kept, a server that starts again
knows its sessions, and another key ends them all. Its name follows from the key too, because
browsers do not tell the ports of a host apart: two servers do not take each other's place.
"""

from __future__ import annotations

import hmac
import secrets
import time

SECONDS = 30 * 24 * 3600
# How long the link that the server has printed may lie about.
_CODE_SECONDS = 3600.0


class Sessions:
    """The sessions of a server with that key."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self.cookie = f"trackai-{self._signature('name')[:12]}"
        self._codes: dict[str, float] = {}

    def is_key(self, given: bytes) -> bool:
        """Whether that is the key; how long it takes does not tell how much of it is right."""
        return hmac.compare_digest(given, self._key)

    def make_code(self) -> str:
        """A code that stands for the key, once and for an hour: what is printed may be logged."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = time.monotonic() + _CODE_SECONDS
        return code

    def may_begin(self, given: str) -> bool:
        """Whether that is the key or a code; a code is then used up."""
        data = given.encode("utf-8", "surrogatepass")
        if self.is_key(data):
            return True
        for code, until in list(self._codes.items()):
            if hmac.compare_digest(data, code.encode()):
                del self._codes[code]
                return time.monotonic() < until
        return False

    def begin(self) -> str:
        """A new session: the value of its cookie."""
        until = str(int(time.time()) + SECONDS)
        return f"{until}.{self._signature(f'until {until}')}"

    def holds(self, value: str) -> bool:
        """Whether a cookie's value is a session that has not ended."""
        until, _, signature = value.partition(".")
        right = self._signature(f"until {until}")
        if not hmac.compare_digest(signature.encode(), right.encode()):
            return False
        return time.time() < int(until)  # ours, so it is a number

    def _signature(self, text: str) -> str:
        # A prefix: what is signed here must not pass for anything else that the key might sign.
        return hmac.new(self._key, f"trackai session {text}".encode(), "sha256").hexdigest()
