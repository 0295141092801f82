"""The JSON that a webhook receives for an alert: of Slack, of Discord, or of any other service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from trackai.sdk.alerts import AlertLevel

_SLACK = ("hooks.slack.com", "hooks.slack-gov.com")
_DISCORD = ("discord.com", "discordapp.com")
# The longest texts, in characters, that Slack and Discord accept.
_SLACK_TEXT = 3000
_DISCORD_TITLE = 256
_DISCORD_TEXT = 4096
_DISCORD_FOOTER = 2048
_COLORS = {AlertLevel.INFO: 0x2563EB, AlertLevel.WARN: 0xF59E0B, AlertLevel.ERROR: 0xDC2626}
_SYMBOLS = {
    AlertLevel.INFO: "\N{INFORMATION SOURCE}\ufe0f",
    AlertLevel.WARN: "\N{WARNING SIGN}\ufe0f",
    AlertLevel.ERROR: "\N{POLICE CARS REVOLVING LIGHT}",
}


class Alert(NamedTuple):
    """An alert of a run; `timestamp` is in microseconds since the epoch."""

    level: AlertLevel
    title: str
    text: str | None
    project: str
    run: str
    step: float
    timestamp: int


def message_for(host: str, alert: Alert) -> dict[str, Any]:
    """Return the message about an alert for the service at a host.

    Args:
        host: the host name of the webhook, in lower case.
    """
    if host in _SLACK:
        return _slack(alert)
    if any(host == domain or host.endswith(f".{domain}") for domain in _DISCORD):
        return _discord(alert)
    return {
        "level": alert.level.value,
        "title": alert.title,
        "text": alert.text,
        "project": alert.project,
        "run": alert.run,
        "step": alert.step,
        "timestamp": datetime.fromtimestamp(alert.timestamp / 1e6, UTC).isoformat(),
    }


def _slack(alert: Alert) -> dict[str, Any]:
    heading = f"{_SYMBOLS[alert.level]} *[{alert.level.upper()}] {_escaped(alert.title)}*"
    texts = [heading, *([_escaped(alert.text)] if alert.text else [])]
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, _SLACK_TEXT)}}
        for text in texts
    ]
    place = {"type": "mrkdwn", "text": _cut(_escaped(_place(alert)), _SLACK_TEXT)}
    blocks.append({"type": "context", "elements": [place]})
    # The text is what notifications show.
    return {"text": _cut(heading, _SLACK_TEXT), "blocks": blocks}


def _discord(alert: Alert) -> dict[str, Any]:
    title = f"{_SYMBOLS[alert.level]} [{alert.level.upper()}] {alert.title}"
    embed: dict[str, Any] = {
        "title": _cut(title, _DISCORD_TITLE),
        "color": _COLORS[alert.level],
        "footer": {"text": _cut(_place(alert), _DISCORD_FOOTER)},
    }
    if alert.text:
        embed["description"] = _cut(alert.text, _DISCORD_TEXT)
    return {"embeds": [embed]}


def _place(alert: Alert) -> str:
    return f"Project: {alert.project} · Run: {alert.run} · Step {alert.step}"


def _escaped(text: str) -> str:
    """Escape what Slack takes for markup, such as the mention of everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
