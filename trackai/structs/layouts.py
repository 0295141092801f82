"""Layouts of the dashboard's views: panels in sections.

Fields of runs are written as in filters, such as `config.lr` and `metric."val/loss".min`.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

import msgspec

from trackai.errors import InvalidInputError
from trackai.values.names import (
    MAX_IDENTIFIER,
    MAX_NAME,
    identifier_problem,
    name_problem,
    notes_problem,
    path_problem,
    refuse,
)

MAX_PANELS = 500
MAX_SECTIONS = 100
MAX_METRICS = 50
MAX_TEXT = 20_000
MAX_COLUMNS = 200
# Characters of a filter.
MAX_FILTER = 8192

Width = Annotated[int, msgspec.Meta(ge=1, le=12)]
Height = Annotated[int, msgspec.Meta(ge=100, le=2000)]
ColumnWidth = Annotated[int, msgspec.Meta(ge=48, le=900)]
_Metrics = Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_METRICS)]
_Text = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_TEXT})]
_Name = Annotated[str, msgspec.Meta(extra_json_schema={"minLength": 1, "maxLength": MAX_NAME})]
_Title = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_NAME})]
_Filter = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_FILTER})]
_Id = Annotated[str, msgspec.Meta(extra_json_schema={"minLength": 1, "maxLength": MAX_IDENTIFIER})]


class _Panel(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What all panels have.

    Attributes:
        id: unique in the view.
        title: "" for a title that follows from what is shown.
        width: in twelfths of the page.
        height: of the drawing, in pixels.
        pinned: whether it is shown before all sections.
    """

    id: _Id
    title: _Title = ""
    width: Width = 4
    height: Height = 210
    pinned: bool = False

    def __post_init__(self) -> None:
        refuse("id", identifier_problem(self.id))
        refuse("title", notes_problem(self.title, MAX_NAME))


class LinesPanel(_Panel, tag="lines"):
    """Metrics as lines.

    Attributes:
        x: the x axis; "" for that of the page.
        x_metric: a metric as the x axis, in place of `x`.
        log_y: None for the y axis of the page.
    """

    metrics: _Metrics
    x: Literal["", "step", "time", "relative"] = ""
    x_metric: str | None = None
    log_y: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for metric in self.metrics:
            refuse("metrics", path_problem(metric))
        if len(set(self.metrics)) < len(self.metrics):
            raise InvalidInputError("metrics", "must not contain a metric twice")
        if self.x_metric is not None:
            refuse("x_metric", path_problem(self.x_metric))


class ScatterPanel(_Panel, tag="scatter"):
    """A point for each run at two fields.

    Attributes:
        log_x, log_y: None for a scale that is chosen from the values.
    """

    x: str
    y: str
    log_x: bool | None = None
    log_y: bool | None = None


class BarsPanel(_Panel, tag="bars"):
    """A bar for each run, of a field that is a number."""

    field: str
    order: Literal["runs", "ascending", "descending"] = "runs"


class TextPanel(_Panel, tag="text"):
    """A text in Markdown."""

    text: _Text

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse("text", notes_problem(self.text, MAX_TEXT))


Panel = LinesPanel | ScatterPanel | BarsPanel | TextPanel


class Section(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A section of a view; one that `is_open` shows its panels."""

    name: _Name
    is_open: bool = True
    panels: list[Panel] = []

    def __post_init__(self) -> None:
        refuse("name", name_problem(self.name))


class TableColumns(msgspec.Struct, forbid_unknown_fields=True):
    """The columns of the table of runs, besides that of names.

    Attributes:
        columns: fields, from the left. `state` and `created_at` are at the ends unless they are
            listed.
        pinned: those that stay visible while the others scroll.
        widths: in pixels, by field.
    """

    columns: Annotated[list[str], msgspec.Meta(max_length=MAX_COLUMNS)] = []
    pinned: Annotated[list[str], msgspec.Meta(max_length=MAX_COLUMNS)] = []
    widths: Annotated[dict[str, ColumnWidth], msgspec.Meta(max_length=MAX_COLUMNS)] = {}


class Baseline(msgspec.Struct, forbid_unknown_fields=True):
    """The run that the others are compared with.

    Attributes:
        uid: identifies it in every database.
        name: what it was called, for a database that does not have it.
    """

    uid: _Id
    name: _Title = ""

    def __post_init__(self) -> None:
        refuse("uid", identifier_problem(self.uid))
        refuse("name", notes_problem(self.name, MAX_NAME))


class TableRows(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which runs the table shows, and in what order.

    Attributes:
        filter: as it is typed in the dashboard.
        archived: whether archived runs are shown.
        sort_by: a field; "" for the time of creation.
        group_by: fields with commas between them; "" for no groups.
    """

    filter: _Filter = ""
    archived: bool = False
    sort_by: _Filter = ""
    sort_order: Literal["asc", "desc"] = "desc"
    group_by: _Filter = ""
    baseline: Baseline | None = None

    def __post_init__(self) -> None:
        for name in ("filter", "sort_by", "group_by"):
            refuse(name, notes_problem(getattr(self, name), MAX_FILTER))


class Layout(msgspec.Struct, forbid_unknown_fields=True):
    """The sections of a view, in order, and the columns and rows of its table.

    Without columns, the dashboard chooses them. Without rows, it shows those that it showed before.
    """

    sections: Annotated[list[Section], msgspec.Meta(max_length=MAX_SECTIONS)] = []
    table: TableColumns | msgspec.UnsetType = msgspec.UNSET
    rows: TableRows | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        ids = [panel.id for section in self.sections for panel in section.panels]
        if len(ids) > MAX_PANELS:
            raise InvalidInputError(
                "layout", f"must have at most {MAX_PANELS} panels, got {len(ids)}"
            )
        for id_, count in Counter(ids).items():
            if count > 1:
                raise InvalidInputError("layout", f"{count} panels have the id {id_!r}")
