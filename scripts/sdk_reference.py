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
# Documented here, because a str or None has no docstring of its own.
VALUES = {
    "__version__": "The version of the package, a str.",
    "run": "The active run, or None.",
    "summary": "The summary of the active run: the last value of each metric.",
}
# Public names by section. Each name of `trackai.__all__` must be in one of them.
SECTIONS = {
    "Logging": (
        "init", "log", "log_system", "finish", "save", "log_artifact", "alert",
        "Run", "run", "config", "summary", "Artifact", "AlertLevel",
    ),
    "Media": ("Image", "Audio", "Video", "Html", "Markdown", "Table", "Histogram"),
    "Reading": ("Api", "show"),
    "Errors": (
        "TrackAIError", "NoActiveRunError", "InvalidInputError", "NotFoundError", "ConflictError",
        "MissingExtraError", "OverloadedError", "StoreError", "StoreUnreachableError",
        "ForeignDatabaseError", "NewerSchemaError", "StoreBusyError", "StoreDamagedError",
    ),
    "Names for compatibility with wandb": (
        "Settings", "define_metric", "login", "setup", "watch", "unwatch",
    ),
    "Version": ("__version__",),
}  # fmt: skip
# Classes that are not public but whose objects are returned, each after the public name that
# returns it. They are in the module of another class, or imported there.
RETURNED = {
    "Run": ("Config", "Summary"),
    "Api": ("Runs", "StoredRun"),
    "StoredRun": ("History",),
    "History": ("Curve",),
    "show": ("Dashboard", "Server"),
}
# Methods that only TrackAI itself calls.
_INTERNAL = {
    "before_fork", "before_child_runs", "monitor", "open", "file_name", "without_files", "json",
}  # fmt: skip
_INTRODUCTION = """\
`scripts/sdk_reference.py` writes this page from the docstrings. The guides are
[Logging](logging.md) and [Reading in Python](reading.md)."""
_WIDTH = 88
# "Args:", a blank or indented block, until the next heading or the end.
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
    """Return the names of public things and of their members that have no docstring."""
    missing = []
    for name in trackai.__all__:
        if name in VALUES:
            continue
        value = getattr(trackai, name)
        if not _own_docstring(value):
            missing.append(name)
        if inspect.isclass(value):
            missing += [
                f"{name}.{member}" for member, it in _members(value) if not inspect.getdoc(it)
            ]
    return missing


def _own_docstring(value: Any) -> str:
    """The docstring of a function or class, not one that it inherits; of an object, its class's."""
    holder = value if inspect.isclass(value) or inspect.isfunction(value) else type(value)
    return inspect.cleandoc(vars(holder).get("__doc__") or holder.__doc__ or "")


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
    """Anchors ignore case: `trackai.run` and `Run` need headings of their own."""
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
    for other in RETURNED.get(name, ()):
        parts += _returned(value, other)
    return parts


def _returned(neighbour: Any, name: str) -> list[str]:
    found = getattr(sys.modules[neighbour.__module__], name)
    parts = _class(name, found, constructor=False)
    for other in RETURNED.get(name, ()):
        parts += _returned(found, other)
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
    """Public methods and properties in the order of the source, inherited ones first."""
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
        line = f"{name}(\n" + "".join(f"    {one},\n" for one in parameters) + f"){end}"
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
    """An annotation as it was written, with the values of a literal in place of its alias."""
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
    """The names before the colon of an entry, as code."""
    return ", ".join(f"`{name}`" for name in text.split(", "))


def main() -> None:
    """Write the reference."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
