"""Write docs/sdk.md from the docstrings of the SDK: `python scripts/sdk_reference.py`."""

from __future__ import annotations

import enum
import inspect
import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_origin

import trackai

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "sdk.md"
# Documented here, because a str or None has no docstring.
VALUES = {
    "__version__": "The version of the package, a str.",
    "run": "The active run, or None.",
    "summary": "The summary of the active run: the last value of each metric.",
}
# Public names by section. Each name of `trackai.__all__` must be in a section.
SECTIONS = {
    "Logging": (
        "init", "log", "log_system", "log_cpu", "log_gpu", "finish", "save", "alert",
        "log_artifact", "use_artifact", "log_model", "use_model", "link_model",
        "Run", "run", "config", "summary", "Artifact", "AlertLevel",
    ),
    "Media": (
        "Image", "Classes", "Audio", "Video", "Html", "Markdown", "Table", "Histogram", "plot",
        "plot_table", "Plotly", "VegaLite", "Object3D", "box3d", "Molecule", "Trace",
    ),
    "Reading": ("Api", "show"),
    "Whole projects": ("import_csv", "import_tf_events", "delete_project"),
    "Errors": (
        "TrackAIError", "NoActiveRunError", "InvalidInputError", "NotFoundError",
        "ProjectNotFoundError", "RunNotFoundError", "ConflictError", "MissingExtraError",
        "PermissionDeniedError",
        "OverloadedError", "ServerUnreachableError", "ServerRefusedError",
        "StoreError", "StoreUnreachableError", "ForeignDatabaseError", "NewerSchemaError",
        "StoreBusyError", "DiskFullError", "StoreDamagedError",
    ),
    "Other names": ("install_as",),
    "Names for compatibility with wandb": (
        "Settings", "define_metric", "login", "setup", "watch", "unwatch", "Graph", "JoinedTable",
    ),
    "Version": ("__version__",),
}  # fmt: skip
# Classes that are not public but are returned by public names: each is documented after the name
# that returns it, and looked up in that name's module.
RETURNED = {
    "Run": ("Config", "Summary"),
    "Artifact": ("ArtifactEntry",),
    "Api": ("Runs", "StoredRun", "StoredArtifact"),
    "StoredRun": ("History", "MetricFigures", "StoredConfig", "StoredFile"),
    "History": ("Curve",),
    "plot": ("Plot", "Chart"),
    "show": ("Dashboard", "Server"),
}
# Methods that only TrackAI calls.
_INTERNAL = {
    "before_fork", "before_child_runs", "monitor", "open", "file_name", "without_files", "json",
}  # fmt: skip
_INTRODUCTION = """\
`scripts/sdk_reference.py` writes this page from the docstrings. The guides are
[Logging](logging.md) and [Reading in Python](reading.md)."""
_WIDTH = 88
# A heading such as "Args:" and its indented or blank lines.
_BLOCK = re.compile(
    r"^(Args|Attributes|Example|Returns|Yields|Raises):\n((?:[ \t]+.*\n?|\n)+)", re.MULTILINE
)
_ENTRY = re.compile(r"(\S.*?): (.*)", re.DOTALL)
_TITLES = {"Args": "Arguments"}


def page() -> str:
    """Return the reference in Markdown."""
    parts = ["# SDK reference", _INTRODUCTION, _contents()]
    for title, names in SECTIONS.items():
        parts.append(f"## {title}")
        for name in names:
            parts += _public(name)
    return "\n\n".join(parts) + "\n"


def missing_docstrings() -> list[str]:
    """Return the public names, and the members of public classes, that have no docstring."""
    missing = []
    for name in trackai.__all__:
        if name in VALUES:
            continue
        value = getattr(trackai, name)
        if not _own_docstring(value):
            missing.append(name)
        if inspect.isclass(value):
            missing += [
                f"{name}.{member}"
                for member, attribute in _members(value)
                if not inspect.getdoc(attribute)
            ]
    return missing


def _own_docstring(value: Any) -> str:
    """The docstring of a function, a class or an object's class, ignoring inherited ones."""
    owner = value if inspect.isclass(value) or inspect.isfunction(value) else type(value)
    return inspect.cleandoc(vars(owner).get("__doc__") or owner.__doc__ or "")


def _contents() -> str:
    return "\n".join(
        f"- {_link(title, title)}: "
        + ", ".join(_link(f"`{name}`", _heading(name)) for name in names)
        for title, names in SECTIONS.items()
    )


def _link(text: str, heading: str) -> str:
    anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
    return f"[{text}](#{anchor})"


def _heading(name: str) -> str:
    """Anchors ignore case, so functions have the prefix `trackai.`: `trackai.run` and `Run`."""
    is_class = name not in VALUES and inspect.isclass(getattr(trackai, name))
    return name if is_class else f"trackai.{name}"


def _public(name: str) -> list[str]:
    heading = f"### {_heading(name)}"
    if name in VALUES:
        return [heading, VALUES[name]]
    value = getattr(trackai, name)
    if inspect.isclass(value):
        parts = _class(name, value)
    elif inspect.isfunction(value):
        parts = [heading, _signature(f"trackai.{name}", value), *_markdown(value)]
    else:
        parts = [heading, *_markdown(value)]
    for class_name in RETURNED.get(name, ()):
        parts += _returned(value, class_name)
    return parts


def _returned(neighbour: Any, name: str) -> list[str]:
    """The section of a class that is not public, from the module of `neighbour`."""
    cls = getattr(sys.modules[neighbour.__module__], name)
    parts = _class(name, cls, constructor=False)
    for class_name in RETURNED.get(name, ()):
        parts += _returned(cls, class_name)
    return parts


def _class(name: str, cls: type, *, constructor: bool = True) -> list[str]:
    parts = [f"### {name}"]
    if issubclass(cls, BaseException):
        bases = ", ".join(f"`{base.__name__}`" for base in cls.__bases__)
        return [*parts, f"A subclass of {bases}.", *_markdown(cls)]
    if issubclass(cls, enum.Enum):
        values = [f"- `{member.name}`: `{member.value!r}`" for member in cls]
        return [*parts, *_markdown(cls), "\n".join(values)]
    if constructor and "__init__" in vars(cls) and name != "Run":
        parts.append(_signature(f"trackai.{name}", vars(cls)["__init__"]))
    parts += _markdown(cls)
    for member, value in _members(cls):
        parts.append(f"#### {name}.{member}")
        if isinstance(value, property):
            assert value.fget is not None
            returns = value.fget.__annotations__.get("return", "")
            settable = "" if value.fset is None else ", can be assigned"
            parts.append(f"A property of type `{returns}`{settable}.")
        else:
            parts.append(_signature(f"{name}.{member}", value))
        parts += _markdown(value)
    return parts


def _members(cls: type) -> list[tuple[str, Any]]:
    """Public methods and properties in source order, those of base classes first."""
    members: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if not base.__module__.startswith("trackai.") or issubclass(base, BaseException):
            continue
        for name, member in vars(base).items():
            value = getattr(member, "__func__", member)
            is_public = not name.startswith("_") and name not in _INTERNAL
            if is_public and (inspect.isfunction(value) or isinstance(value, property)):
                members[name] = value
    return list(members.items())


def _signature(name: str, function: Any) -> str:
    signature = inspect.signature(function)
    types = function.__globals__
    parameters = []
    star = False
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parameters.append("*")
        star = star or parameter.kind in (parameter.VAR_POSITIONAL, parameter.KEYWORD_ONLY)
        parameters.append(_parameter(parameter, types))
    returns = _annotation(signature.return_annotation, types)
    end = "" if returns in ("", "None") else f" -> {returns}"
    line = f"{name}({', '.join(parameters)}){end}"
    if len(line) > _WIDTH:
        line = f"{name}(\n" + "".join(f"    {parameter},\n" for parameter in parameters) + f"){end}"
    return f"```python\n{line}\n```"


def _parameter(parameter: inspect.Parameter, types: Mapping[str, Any]) -> str:
    text = parameter.name
    if parameter.kind is parameter.VAR_POSITIONAL:
        text = f"*{text}"
    elif parameter.kind is parameter.VAR_KEYWORD:
        text = f"**{text}"
    if annotation := _annotation(parameter.annotation, types):
        text += f": {annotation}"
    if parameter.default is not parameter.empty:
        text += f" = {_default(parameter.default)}"
    return text


def _annotation(annotation: Any, types: Mapping[str, Any]) -> str:
    """An annotation as it is written, with an alias of a `Literal` expanded."""
    if annotation is inspect.Signature.empty:
        return ""

    def expanded(match: re.Match[str]) -> str:
        value = types.get(match[0])
        return str(value).removeprefix("typing.") if get_origin(value) is Literal else match[0]

    return re.sub(r"\b[A-Z]\w*\b", expanded, str(annotation))


def _default(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    return repr(value)


def _markdown(value: Any) -> list[str]:
    """The docstring in Markdown: blocks such as `Args:` become lists."""
    text = (inspect.getdoc(value) or "") if isinstance(value, property) else _own_docstring(value)
    parts = []
    at = 0
    for match in _BLOCK.finditer(text):
        parts.append(_prose(text[at : match.start()]))
        parts.append(_list(match[1], textwrap.dedent(match[2])))
        at = match.end()
    parts.append(_prose(text[at:]))
    return [part for part in parts if part]


def _prose(text: str) -> str:
    return re.sub(r"(?<!`)``(?!`)", "`", text.strip())


def _list(title: str, text: str) -> str:
    if title == "Example":
        return f"**Example**\n\n```python\n{text.strip()}\n```"
    title = f"**{_TITLES.get(title, title)}**"
    entries: list[str] = []
    for line in text.strip().splitlines():
        if line.startswith((" ", "\t")) and entries:
            entries[-1] += " " + line.strip()
        elif line.strip():
            entries.append(line.strip())
    items = [_ENTRY.fullmatch(entry) for entry in entries]
    if "Returns" in title or None in items:
        return f"{title}\n\n{_prose(' '.join(entries))}"
    lines = [f"- {_names(item[1])}: {_prose(item[2])}" for item in items if item is not None]
    return "\n".join([title, "", *lines])


def _names(text: str) -> str:
    """The comma-separated names of an entry, as code."""
    return ", ".join(f"`{name}`" for name in text.split(", "))


def main() -> None:
    """Write docs/sdk.md."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
