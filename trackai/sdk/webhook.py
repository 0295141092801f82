"""Sends alerts to a webhook in a background thread, so that nothing waits for it.

The address of a webhook is a secret: all who know it can post there. It is never stored or logged,
and messages contain only the name of the host. That is why the standard library sends the requests:
urllib3 logs the path of each at the level DEBUG.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from trackai.errors import InvalidInputError
from trackai.guard import guarded
from trackai.sdk.alerts import AlertLevel
from trackai.sdk.builtin_values import type_name
from trackai.sdk.notices import warn_once
from trackai.sdk.webhook_messages import message_for
from trackai.settings import ca_bundle

if TYPE_CHECKING:
    from trackai.sdk.webhook_messages import Alert

_LEVELS = list(AlertLevel)  # in rising order
# How long a request waits to connect, and for each part of the answer.
_SECONDS = 5.0
# Between three attempts.
_PAUSES = (0.5, 2.0)
# The longest pause that an answer may ask for with Retry-After; after others it is not sent again.
_LONGEST_PAUSE = 30.0
# Answers after which the same request may succeed.
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
# How many alerts may wait to be sent.
_MAX_WAITING = 100
# How long the end of the run waits for alerts.
_CLOSING_SECONDS = 5.0


class Webhooks:
    """The webhooks of a run.

    Args:
        url: where alerts are sent by default; None sends none.
        min_level: alerts below this level are not sent.

    Raises:
        InvalidInputError: the certificates of REQUESTS_CA_BUNDLE cannot be read.
    """

    def __init__(self, url: str | None = None, min_level: AlertLevel = AlertLevel.INFO) -> None:
        self._url = url
        self._min_level = min_level
        # Not in the thread: OpenSSL holds locks while it reads certificates, and a process that is
        # forked then would wait for them forever.
        self._opener = _opener()
        self.forget()

    def forget(self) -> None:
        """Begin again, in a forked process: what waits is the parent's to send."""
        self._lock = threading.Lock()
        self._waiting: Queue[tuple[str, Alert] | None] = Queue(_MAX_WAITING)
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._sending: str | None = None
        # By title: until when further alerts are not sent, in microseconds since the epoch.
        self._quiet: dict[str, float] = {}

    def send(self, alert: Alert, url: str | None = None, quiet_seconds: float = 0) -> None:
        """Send an alert in the background.

        Args:
            alert: the alert.
            url: where to; default the webhook of the run.
            quiet_seconds: how long further alerts with this title are not sent.
        """
        url = url or self._url
        if url is None or _LEVELS.index(alert.level) < _LEVELS.index(self._min_level):
            return
        if alert.timestamp < self._quiet.get(alert.title, 0):
            return
        if quiet_seconds > 0:
            self._quiet[alert.title] = alert.timestamp + quiet_seconds * 1e6
        try:
            self._waiting.put_nowait((url, alert))
            self._start()
        except Full:
            _warn(url, f"{_MAX_WAITING} alerts wait to be sent")
        except RuntimeError:  # no thread can start when the interpreter ends
            _warn(url, "the script has ended")

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="trackai-webhooks", daemon=True)
                thread.start()
                self._thread = thread

    def close(self) -> None:
        """Wait until all alerts are sent, for at most five seconds."""
        if self._thread is None:
            return
        self._closing.set()
        with suppress(Full):
            self._waiting.put_nowait(None)
        self._thread.join(_CLOSING_SECONDS)
        if not self._thread.is_alive():
            return
        late = {self._sending}
        with suppress(Empty):
            while True:
                item = self._waiting.get_nowait()
                late.add(item and item[0])
        self._waiting.put_nowait(None)
        for url in late - {None}:
            _warn(str(url), "it did not answer in time")

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            self._sending = item[0]
            with guarded("sending an alert to a webhook"):
                _deliver(self._opener, *item, self._closing)
            self._sending = None


def checked_webhook(url: Any, field: str = "webhook_url") -> str | None:
    """Check the address of a webhook; an empty one is None.

    Args:
        field: its name, for errors. These do not contain the address.

    Raises:
        TypeError: it is not a str.
        InvalidInputError: it is not the address of a host, with http or https.
    """
    if url is None or url == "":
        return None
    if not isinstance(url, str):
        raise TypeError(f"{field}: must be a str, got {type_name(url)}")
    try:
        parts = urlsplit(url.strip())
        is_valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        is_valid = is_valid and parts.username is None
    except ValueError:
        is_valid = False
    if not is_valid or not url.isascii() or any(char.isspace() for char in url.strip()):
        raise InvalidInputError(
            field, "must start with https:// or http://, and name a host and no user"
        )
    return url.strip()


def host_of(url: str) -> str:
    """Return the host name of a webhook, which is not secret."""
    return (urlsplit(url).hostname or "").lower()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Takes redirects for errors: another address must not get the alert."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _deliver(
    opener: urllib.request.OpenerDirector, url: str, alert: Alert, closing: threading.Event
) -> None:
    """Send an alert, and again if that may help. A failure is a warning, once for each host.

    Args:
        opener: opens addresses.
        url: the address of the webhook.
        alert: the alert.
        closing: ends the pauses between attempts.
    """
    body = msgspec.json.encode(message_for(host_of(url), alert))
    for pause in (*_PAUSES, None):
        problem, longer = _post(opener, url, body)
        if not problem:
            return
        if pause is None or longer is None:
            break
        closing.wait(max(pause, longer))
    _warn(url, problem)


def _post(opener: urllib.request.OpenerDirector, url: str, body: bytes) -> tuple[str, float | None]:
    """Send a request.

    Returns:
        What went wrong, or an empty str; and the seconds to wait before the next attempt, or None
        if another one would not help.
    """
    headers = {"Content-Type": "application/json", "User-Agent": "trackai"}
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - checked
    try:
        with opener.open(request, timeout=_SECONDS):
            return "", None
    except urllib.error.HTTPError as error:
        with error:
            pause = _retry_after(error.headers.get("Retry-After"))
        return f"it answered with HTTP status {error.code}", (
            pause if error.code in _TEMPORARY else None
        )
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        return _cause(reason), None if isinstance(reason, ssl.SSLError) else 0.0


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens addresses, through the proxy that the environment names, if any.

    Raises:
        InvalidInputError: the certificates of REQUESTS_CA_BUNDLE cannot be read.
    """
    context = ssl.create_default_context()  # reads SSL_CERT_FILE and SSL_CERT_DIR
    if bundle := ca_bundle():
        folder, file = (bundle, None) if Path(bundle).is_dir() else (None, bundle)
        try:
            context.load_verify_locations(file, folder)
        except OSError as error:
            problem = f"cannot read the certificates in {bundle} ({error.strerror or error})"
            raise InvalidInputError("REQUESTS_CA_BUNDLE", problem) from None
    return urllib.request.build_opener(_NoRedirects, urllib.request.HTTPSHandler(context=context))


def _cause(error: Any) -> str:
    """Say why no answer came, without the text of the error, which may contain the address."""
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "it refused the connection"
    if isinstance(error, socket.gaierror):
        return "the host was not found"
    if isinstance(error, ssl.SSLError):
        return "its certificate is not trusted, or it does not speak TLS"
    return f"the connection failed ({type(error).__name__})"


def _retry_after(text: str | None) -> float | None:
    """Return the seconds that an answer asks to wait; None if they are too many."""
    seconds = float(text) if text and text.strip().isdecimal() else 0.0
    return seconds if seconds <= _LONGEST_PAUSE else None


def _warn(url: str, problem: str) -> None:
    host = host_of(url)
    warn_once(f"webhook: {host}", "an alert was not sent to the webhook at %s: %s", host, problem)
