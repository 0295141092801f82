"""The HTML card of a run in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from trackai.errors import TrackAIError
from trackai.guard import guarded
from trackai.reading.html import FAINT, MAX_ROWS, sparkline, table
from trackai.reading.remote_source import RemoteSource
from trackai.settings import Settings
from trackai.values.logger import logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.reading.source import Source
    from trackai.structs.records import Run


# How long a notebook waits for the answer of a server that may not be running.
_PROBE_SECONDS = 0.5
_SPARKLINES, _SPARKLINE_POINTS = 8, 60
_COLORS = {"running": "#2563eb", "completed": "#16a34a", "failed": "#dc2626"}


def card(source: Source, run_id: int, fallback: str, config: dict[str, Any] | None = None) -> str:
    """Return the card of a run as HTML.

    Args:
        run_id: the row id of the run.
        fallback: the text to show if the run cannot be read.
        config: the flat configuration of a run that is being logged, of which the database may
            not have all yet; default the stored one.
    """
    with guarded("showing a run"):
        try:
            run = source.run(run_id)
            project = next(p.name for p in source.projects() if p.id == run.project_id)
            return _card(
                run,
                project,
                source.config(run_id) if config is None else config,
                _metrics(source, run_id),
                _link(source, run),
            )
        except TrackAIError as error:
            logger.debug("could not show a run: %s", error)
    return f"<code>{escape(fallback)}</code>"


def _metrics(source: Source, run_id: int) -> list[tuple[Any, ...]]:
    """The rows of the table of metrics, the first ones with a sparkline."""
    figures = source.figures(run_id)
    drawn = [
        metric.path
        for metric in figures[:MAX_ROWS]
        if metric.kind == "number" and metric.axis == "step" and metric.points > 1
    ][:_SPARKLINES]
    charts = source.own_charts(run_id, drawn, _SPARKLINE_POINTS) if drawn else {}
    lines = {
        path: sparkline([bucket.mean for bucket in chart.data]) for path, chart in charts.items()
    }
    return [
        (m.path, m.last, m.min, m.max, lines.get(m.path, "") if m.axis == "step" else "")
        for m in figures
    ]


def _link(source: Source, run: Run) -> str | None:
    """Return the address of the run in the dashboard, if a server is running."""
    if isinstance(source, RemoteSource):
        return f"{source.url}/?run={run.id}"
    settings = Settings.from_env()
    server = RemoteSource(settings.url, settings.api_key, timeout=_PROBE_SECONDS)
    try:
        served = server.run(run.id)
    except TrackAIError:
        return None
    # A server for another database may have another run with this id.
    if (served.run_id, served.created_at) != (run.run_id, run.created_at):
        return None
    return f"{settings.url}/?run={run.id}"


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
        f'<span style="{FAINT}">{place}</span></div>'
        f"{table(('config', ''), list(config.items()))}"
        f"{table(('metric', 'last', 'min', 'max', ''), metrics)}"
        "</div>"
    )
