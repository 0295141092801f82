"""A run as a notebook shows it: a small card of HTML."""

from __future__ import annotations

import logging
from html import escape
from typing import TYPE_CHECKING, Any

from trackai.errors import TrackAIError
from trackai.guard import guarded
from trackai.reading.sources import RemoteSource
from trackai.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trackai.reading.sources import Source
    from trackai.structs.records import Run

logger = logging.getLogger("trackai")

_ROWS = 20
# A page of a notebook does not wait longer for a server that may not be there.
_PROBE_SECONDS = 0.5
_COLORS = {"running": "#2563eb", "completed": "#16a34a", "failed": "#dc2626"}
_FAINT = "opacity:.7"
_CELL = "padding:1px 10px 1px 0;text-align:left;border:0;background:none"


def card(source: Source, run_id: int, otherwise: str, config: dict[str, Any] | None = None) -> str:
    """The card of a run; where it cannot be read, `otherwise` in its place.

    Args:
        config: its flat configuration, where it is known; what is stored may lag behind.
    """
    with guarded("showing a run"):
        try:
            run = source.run(run_id)
            project = next(p.name for p in source.projects() if p.id == run.project_id)
            return _card(
                run,
                project,
                source.config(run_id) if config is None else config,
                [(one.path, one.last, one.min, one.max) for one in source.figures(run_id)],
                _link(source, run),
            )
        except TrackAIError as error:
            logger.debug("a run is not shown: %s", error)
    return f"<code>{escape(otherwise)}</code>"


def _link(source: Source, run: Run) -> str | None:
    """Where a server shows the run, if one does."""
    if isinstance(source, RemoteSource):
        return f"{source.url}/?run={run.id}"
    settings = Settings.from_env()
    server = RemoteSource(settings.url, settings.api_key, timeout=_PROBE_SECONDS)
    try:
        there = server.run(run.id)
    except TrackAIError:
        return None
    # The server may have another file, in which another run has that id.
    same = (there.run_id, there.created_at) == (run.run_id, run.created_at)
    return f"{settings.url}/?run={run.id}" if same else None


def _card(
    run: Run,
    project: str,
    config: dict[str, Any],
    metrics: Sequence[tuple[Any, ...]],
    link: str | None,
) -> str:
    name = escape(run.name or run.run_id)
    title = name if link is None else f'<a href="{escape(link)}" target="_blank">{name}</a>'
    style = (
        "border:1px solid #8884;border-radius:6px;padding:8px 12px;display:inline-block;"
        "font-size:90%;line-height:1.4"
    )
    dot = f'<span style="color:{_COLORS[run.state]}">&#9679;</span>'
    place = f"{escape(project)} / {escape(run.run_id)} &ensp;id {run.id}"
    return (
        f'<div style="{style}">'
        f"<div><b>{title}</b> &ensp;{dot} {run.state} &ensp;"
        f'<span style="{_FAINT}">{place}</span></div>'
        f"{_table(('config', ''), config.items())}"
        f"{_table(('metric', 'last', 'min', 'max'), metrics)}"
        "</div>"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    every = list(rows)
    if not every:
        return ""
    lines = [_row("th", [f'<span style="{_FAINT}">{text}</span>' for text in head])]
    lines += [_row("td", [escape(_text(value)) for value in row]) for row in every[:_ROWS]]
    if len(every) > _ROWS:
        lines.append(_row("td", [f"and {len(every) - _ROWS} more"]))
    return (
        f'<table style="margin:6px 0 0;border-collapse:collapse;border:0">{"".join(lines)}</table>'
    )


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag} style={_CELL!r}>{one}</{tag}>' for one in cells)}</tr>"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= 80 else text[:79] + "…"
