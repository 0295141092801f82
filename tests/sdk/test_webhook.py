"""Alerts that are sent to webhooks, by real HTTP servers."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import trackai
from trackai.errors import InvalidInputError
from trackai.sdk import notices, webhook
from trackai.sdk.alerts import AlertLevel
from trackai.sdk.webhook_messages import Alert, message_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    RunPython = Callable[..., subprocess.CompletedProcess[str]]

SECRET = "T0000-secret"
ALERT = Alert(
    AlertLevel.WARN, "Low <accuracy>", "below 0.5 & falling", "p", "r", 7, 1_700_000_000_000_000
)


class Request(NamedTuple):
    path: str
    body: dict[str, Any]
    at: float


class Service(NamedTuple):
    """A webhook at `url`; `answers` are statuses with headers, of which the last one repeats."""

    url: str
    requests: list[Request]
    answers: list[tuple[int, dict[str, str]]]
    released: threading.Event


@contextmanager
def serving() -> Iterator[Service]:
    requests: list[Request] = []
    answers: list[tuple[int, dict[str, str]]] = [(204, {})]
    released = threading.Event()
    released.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(length))
            requests.append(Request(self.path, body, time.monotonic()))
            released.wait(60)
            status, headers = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/services/{SECRET}"
        yield Service(url, requests, answers, released)
    finally:
        released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(notices, "_subjects", set())
    monkeypatch.setattr(webhook, "_PAUSES", (0.05, 0.1))
    with serving() as service:
        yield service


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message for message in caplog.messages if "webhook" in message]


def test_alerts_are_sent_with_their_run(db_path: Path, service: Service) -> None:
    with trackai.init(project="p", name="r", webhook_url=service.url) as run:
        run.log({"loss": 1.0})
        trackai.alert("Low accuracy", "below 0.5")
        run.alert("Late", level="info", step=40)
        run.alert("lone \ud800", step=41)
    bodies = [request.body for request in service.requests]
    assert [bodies[0].pop("timestamp")[:2], service.requests[0].path] == [
        "20",
        f"/services/{SECRET}",
    ]
    assert bodies[0] == {
        "level": "warn", "title": "Low accuracy", "text": "below 0.5", "project": "p", "run": "r",
        "step": 1,
    }  # fmt: skip
    assert (bodies[1]["level"], bodies[1]["step"], bodies[1]["text"]) == ("info", 40, None)
    assert bodies[2]["title"] == "lone \\ud800"


def test_an_alert_is_printed_as_one_line(db_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with trackai.init(project="p", name="r") as run:
        run.alert("Low accuracy", "below 0.5")
        run.alert("Late")
    assert caplog.messages == ["r: Low accuracy: below 0.5", "r: Late"]


def test_low_alerts_are_not_sent(
    db_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKIO_WEBHOOK_URL", "http://127.0.0.1:1/never")
    monkeypatch.setenv("TRACKAI_WEBHOOK_URL", service.url)
    monkeypatch.setenv("TRACKIO_WEBHOOK_MIN_LEVEL", "ERROR")
    with trackai.init(project="p") as run:
        run.alert("a", level="warn")
        run.alert("b", level="error")
    with trackai.init(project="p", webhook_min_level=trackai.AlertLevel.WARN) as run:
        run.alert("c", level="info")
        run.alert("d", level="warn")
    with trackai.init(project="p", webhook_url="") as run:
        run.alert("e", level="error")
    with trackai.init(project="p", mode="disabled") as run:
        run.alert("f", level="error", webhook_url=service.url)
    assert [request.body["title"] for request in service.requests] == ["b", "d"]


def test_an_alert_may_have_a_webhook_of_its_own(db_path: Path, service: Service) -> None:
    with serving() as other, trackai.init(project="p", webhook_url=other.url) as run:
        run.alert("a", webhook_url=service.url)
        trackai.alert("b", webhook_url=service.url)
        run.alert("c")
        run.finish()
        assert [request.body["title"] for request in other.requests] == ["c"]
    assert [request.body["title"] for request in service.requests] == ["a", "b"]
    with trackai.init(project="p") as run:  # without a webhook
        run.alert("d", webhook_url=service.url)
    assert service.requests[-1].body["title"] == "d"


def test_the_webhook_may_be_the_fourth_argument(db_path: Path, service: Service) -> None:
    """As in trackio; in wandb, it is the time to wait."""
    with trackai.init(project="p"):
        trackai.alert("a", "b", "warn", service.url)
    assert [request.body["title"] for request in service.requests] == ["a"]


def test_alerts_of_one_title_can_wait(db_path: Path, service: Service) -> None:
    with trackai.init(project="p", webhook_url=service.url) as run:
        for _ in range(3):
            run.alert("a", wait_duration=timedelta(minutes=1))
            trackai.alert("b", wait_duration=60)
            run.alert("c", wait_duration=0)
    titles = [request.body["title"] for request in service.requests]
    assert sorted(titles) == ["a", "b", "c", "c", "c"]
    with closing(sqlite3.connect(db_path)) as connection:
        assert connection.execute("SELECT count(*) FROM points").fetchone() == (9,)


def test_busy_services_are_asked_again(
    db_path: Path, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.answers[:] = [(503, {}), (429, {"Retry-After": "1"}), (204, {})]
    run = trackai.init(project="p", webhook_url=service.url)
    run.alert("a")
    while len(service.requests) < 3:
        time.sleep(0.01)
    run.finish()
    times = [request.at for request in service.requests]
    assert times[1] - times[0] < 1 <= times[2] - times[1]
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    ("status", "headers", "requests"),
    [
        (404, {}, 1), (500, {}, 3), (429, {"Retry-After": "3600"}, 1),
        (302, {"Location": "file:///etc/passwd"}, 1), (307, {"Location": "http://127.0.0.1:1/"}, 1),
    ],
)  # fmt: skip
def test_refusals_are_named_once_without_the_secret(
    db_path: Path,
    service: Service,
    caplog: pytest.LogCaptureFixture,
    status: int,
    headers: dict[str, str],
    requests: int,
) -> None:
    service.answers[:] = [(status, headers)]
    caplog.set_level(logging.DEBUG)
    with trackai.init(project="p", webhook_url=service.url) as run:
        run.alert("a")
        run.alert("b")
    assert len(service.requests) == 2 * requests
    assert warnings(caplog) == [
        f"an alert was not sent to the webhook at 127.0.0.1: it answered with HTTP status {status}"
    ]
    assert SECRET not in caplog.text


def test_a_service_that_hangs_delays_nothing(
    db_path: Path,
    service: Service,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook, "_CLOSING_SECONDS", 0.5)
    service.released.clear()
    run = trackai.init(project="p", webhook_url=service.url)
    start = time.monotonic()
    for number in range(webhook._MAX_WAITING + 5):
        run.alert("a")
        run.log({"loss": number})
    assert time.monotonic() - start < 5
    start = time.monotonic()
    run.finish()
    assert 0.4 < time.monotonic() - start < 5
    assert len(warnings(caplog)) == 1
    assert len(service.requests) == 1
    with closing(sqlite3.connect(db_path)) as connection:
        assert connection.execute("SELECT count(*) FROM points").fetchone() == (210,)


def test_finish_waits_for_at_most_five_seconds() -> None:
    assert webhook._CLOSING_SECONDS == 5


def test_a_service_that_does_not_answer_in_time_is_named(
    db_path: Path,
    service: Service,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook, "_SECONDS", 0.1)
    service.released.clear()
    with trackai.init(project="p", webhook_url=service.url) as run:
        run.alert("a")
    assert len(service.requests) == 3
    assert "it did not answer in time" in warnings(caplog)[0]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (f"http://127.0.0.1:1/{SECRET}", "it refused the connection"),
        (f"http://no-such-host.invalid/{SECRET}", "the host was not found"),
    ],
)
def test_an_address_without_a_service_is_named(
    db_path: Path, service: Service, caplog: pytest.LogCaptureFixture, url: str, problem: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with trackai.init(project="p", webhook_url=url) as run:
        run.alert("a")
    assert [message.rpartition(": ")[2] for message in warnings(caplog)] == [problem]
    assert SECRET not in caplog.text


def test_a_service_that_speaks_no_tls_is_named(
    db_path: Path, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    url = service.url.replace("http:", "https:")
    with trackai.init(project="p", webhook_url=url) as run:
        run.alert("a")
    assert "does not speak TLS" in warnings(caplog)[0]


@pytest.mark.parametrize(
    "url",
    [f"ftp://host/{SECRET}", f"file:///{SECRET}", SECRET, f"https:///{SECRET}",
     f"https://host:0/{SECRET}", f"https://host:x/{SECRET}", f"https://me:{SECRET}@host/",
     f"https://host/{SECRET} x", f"https://h\u00f6st/{SECRET}"],
)  # fmt: skip
def test_invalid_addresses_are_refused_without_showing_them(
    db_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidInputError, match="webhook_url: must start with https://") as caught:
        trackai.init(project="p", webhook_url=url)
    assert SECRET not in str(caught.value)
    monkeypatch.setenv("TRACKAI_WEBHOOK_URL", url)
    with pytest.raises(InvalidInputError, match="TRACKAI_WEBHOOK_URL: must start with") as caught:
        trackai.init(project="p")
    assert SECRET not in str(caught.value)
    assert not db_path.exists()
    monkeypatch.delenv("TRACKAI_WEBHOOK_URL")
    with trackai.init(project="p") as run:
        run.alert("a", webhook_url=url)
    assert "webhook_url: must start with" in caplog.text
    assert SECRET not in caplog.text


def test_wrong_arguments_are_named(db_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match="webhook_url: must be a str, got int"):
        trackai.init(project="p", webhook_url=5)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="webhook_min_level: must be"):
        trackai.init(project="p", webhook_min_level="loud")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such.pem")
    with pytest.raises(InvalidInputError, match="REQUESTS_CA_BUNDLE: cannot read the certificates"):
        trackai.init(project="p", webhook_url="https://host/")
    assert not db_path.exists()


def test_the_secret_is_stored_nowhere(db_path: Path, service: Service) -> None:
    with trackai.init(project="p", config={"a": 1}, webhook_url=service.url) as run:
        run.alert("a")
        assert SECRET not in repr(run) + repr(run.settings) + repr(dict(run.config))
    assert len(service.requests) == 1
    for path in db_path.parent.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path


def test_forked_processes_send_their_own_alerts(
    db_path: Path, service: Service, run_python: RunPython
) -> None:
    ran = run_python(
        """
        import os
        import trackai

        run = trackai.init(project="p")
        run.alert("before")
        child = os.fork()
        if not child:
            run.alert("child")
            run.finish()
            os._exit(0)
        os.waitpid(child, 0)
        run.alert("after")
        """,
        TRACKAI_WEBHOOK_URL=service.url,
    )
    assert SECRET not in ran.stderr
    titles = [request.body["title"] for request in service.requests]
    assert sorted(titles) == ["after", "before", "child"]


def test_slack_gets_blocks() -> None:
    message = message_for("hooks.slack.com", ALERT)
    heading = "\u26a0\ufe0f *[WARN] Low &lt;accuracy&gt;*"
    assert message["text"] == heading
    assert [block["type"] for block in message["blocks"]] == ["section", "section", "context"]
    assert message["blocks"][0]["text"] == {"type": "mrkdwn", "text": heading}
    assert message["blocks"][1]["text"]["text"] == "below 0.5 &amp; falling"
    assert message["blocks"][2]["elements"][0]["text"] == "Project: p · Run: r · Step 7"
    long = message_for("hooks.slack.com", ALERT._replace(title="t" * 5000, text="x" * 5000))
    assert {len(block["text"]["text"]) for block in long["blocks"][:2]} == {3000}


@pytest.mark.parametrize("host", ["discord.com", "discordapp.com", "ptb.discord.com"])
def test_discord_gets_an_embed(host: str) -> None:
    (embed,) = message_for(host, ALERT)["embeds"]
    assert embed["title"] == "\u26a0\ufe0f [WARN] Low <accuracy>"
    assert embed["description"] == "below 0.5 & falling"
    assert embed["footer"] == {"text": "Project: p · Run: r · Step 7"}
    assert isinstance(embed["color"], int)
    (long,) = message_for(host, ALERT._replace(title="t" * 300, text="x" * 5000))["embeds"]
    assert (len(long["title"]), len(long["description"])) == (256, 4096)
    assert "description" not in message_for(host, ALERT._replace(text=None))["embeds"][0]


@pytest.mark.parametrize("host", ["hooks.slack.com.evil.example", "notdiscord.com", "example.com"])
def test_other_services_get_json(host: str) -> None:
    assert message_for(host, ALERT) == {
        "level": "warn", "title": "Low <accuracy>", "text": "below 0.5 & falling",
        "project": "p", "run": "r", "step": 7, "timestamp": "2023-11-14T22:13:20+00:00",
    }  # fmt: skip


def test_a_run_without_a_webhook_loads_no_http_client(run_python: RunPython) -> None:
    run_python(
        """
        import sys
        import trackai

        with trackai.init(project="p") as run:
            run.alert("a")
        assert "trackai.sdk.webhook" not in sys.modules
        """
    )
