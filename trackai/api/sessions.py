"""Browser sessions: signing in with the API key or a one-time code, for a signed cookie.

Scripts cannot read the cookie, and pages of other sites cannot make the browser send it. It
contains its expiry time and a signature made with the API key. The server stores nothing: sessions
survive a restart, and a new key ends them all. The cookie's name depends on the key as well,
because browsers share cookies between the ports of a host: two servers on one host do not
overwrite each other's cookie.
"""

from __future__ import annotations

import hmac
import secrets
import time

# The lifetimes of a session, and of a sign-in code.
SECONDS = 30 * 24 * 3600
_CODE_SECONDS = 3600.0


class Sessions:
    """Issues and checks the sessions of a server with the API key `key`.

    Attributes:
        cookie: the name of the session cookie.
    """

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self.cookie = f"trackai-{self._signature('name')[:12]}"
        self._codes: dict[str, float] = {}

    def is_key(self, candidate: bytes) -> bool:
        """Whether `candidate` is the API key, compared in constant time."""
        return hmac.compare_digest(candidate, self._key)

    def create_code(self) -> str:
        """Create a sign-in code: valid once and for an hour, as printed text may be logged."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = time.monotonic() + _CODE_SECONDS
        return code

    def check(self, key_or_code: str) -> bool:
        """Whether this is the API key or a valid code; a code is then used up."""
        data = key_or_code.encode("utf-8", "surrogatepass")
        if self.is_key(data):
            return True
        for code, expires in list(self._codes.items()):
            if hmac.compare_digest(data, code.encode()):
                del self._codes[code]
                return time.monotonic() < expires
        return False

    def create(self) -> str:
        """Create a session, and return the value of its cookie."""
        expires = str(int(time.time()) + SECONDS)
        return f"{expires}.{self._signature(f'until {expires}')}"

    def is_valid(self, value: str) -> bool:
        """Whether the value of a cookie is a session that has not expired."""
        expires, _, signature = value.partition(".")
        expected = self._signature(f"until {expires}")
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            return False
        return time.time() < int(expires)  # signed by this server, so it is a number

    def _signature(self, text: str) -> str:
        # The prefix keeps these signatures distinct from others made with the same key.
        return hmac.new(self._key, f"trackai session {text}".encode(), "sha256").hexdigest()
