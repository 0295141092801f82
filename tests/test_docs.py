"""The documents: links, generated pages, settings, pictures, and the changelog."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import trackai
import trackai.settings
from scripts import sdk_reference

if TYPE_CHECKING:
    from tests.conftest import Server

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PAGE_IDS = [path.relative_to(ROOT).as_posix() for path in PAGES]


def without_code(text: str) -> str:
    """Markdown without fenced blocks and inline code."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    slugs: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE):
        slug = re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")
        number = 0
        while (anchor := f"{slug}-{number}" if number else slug) in slugs:
            number += 1
        slugs.add(anchor)
    return slugs


def links(page: Path) -> list[str]:
    """The targets of the links and pictures of a page, without addresses of other sites."""
    text = without_code(page.read_text("utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_links_resolve(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(linked), f"{page.name}: {target}"


def test_links_are_found() -> None:
    """The test above would hold if no link were found."""
    assert "docs/logging.md" in links(ROOT / "README.md")
    assert sum(len(links(page)) for page in PAGES) > 50
    assert "where-do-i-find-" in anchors(ROOT / "CONTRIBUTING.md")


def test_every_picture_is_shown_and_small() -> None:
    pictures = list((ROOT / "docs" / "images").iterdir())
    shown = {(page.parent / target).resolve() for page in PAGES for target in links(page)}
    assert pictures
    for path in pictures:
        assert path.resolve() in shown, path.name
        assert path.stat().st_size < 300_000, path.name


def test_the_readme_and_the_index_link_to_every_page() -> None:
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {target.removeprefix("docs/") for target in links(ROOT / "README.md")} >= pages
    assert set(links(ROOT / "docs" / "README.md")) >= pages


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_paths_of_sources_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    for path in re.findall(r"`((?:\w+/)+\w+\.(?:py|sh|sql))`", text):
        if "NAME" in path or "NNNN" in path:
            continue
        assert any((root / path).is_file() for root in (ROOT, ROOT / "trackai")), path
    web = {path.name for path in (ROOT / "trackai" / "dashboard" / "web" / "src").rglob("*.ts*")}
    assert set(re.findall(r"`(\w+\.tsx?)`", text)) <= web


def test_every_module_of_the_layout_exists() -> None:
    """docs/design.md draws a line for each package, with the names of its modules."""
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    drawing = re.search(r"^    cli/ .*?^    errors", page, flags=re.DOTALL | re.MULTILINE)
    assert drawing is not None
    store = drawing[0].partition("    store/\n")[2].partition("\n    filters/")[0]
    drawn: dict[str, set[str]] = {}
    wing = ""
    for line in store.splitlines():
        match = re.fullmatch(r"\s+(?:(\w+)/\s+)?(.*?),?", line)
        assert match is not None
        wing = match[1] or wing
        drawn.setdefault(wing, set()).update(match[2].split(", "))
    for wing, names in drawn.items():
        modules = {path.stem for path in (ROOT / "trackai" / "store" / wing).glob("*.py")}
        assert names == modules - {"__init__"}, wing
    assert len(drawn) == 8


def test_the_sdk_reference_is_up_to_date() -> None:
    written = sdk_reference.PAGE.read_text(encoding="utf-8")
    assert written == sdk_reference.page(), "run python scripts/sdk_reference.py"


def test_the_sdk_reference_has_every_public_name() -> None:
    listed = [name for names in sdk_reference.SECTIONS.values() for name in names]
    assert len(listed) == len(set(listed))
    # `run` and `summary` belong to the moment: the module has them while a run is active.
    assert set(listed) | {"run", "summary"} == set(trackai.__all__) | {"run", "summary"}


def test_public_names_have_docstrings() -> None:
    assert sdk_reference.missing_docstrings() == []


def test_missing_docstrings_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Undocumented:
        def method(self) -> None: ...

        @property
        def value(self) -> int:
            return 1

    Undocumented.__module__ = "trackai.sdk.run"
    monkeypatch.setattr(trackai, "Run", Undocumented)
    assert sdk_reference.missing_docstrings() == ["Run", "Run.method", "Run.value"]


def environment_variables() -> set[str]:
    """The names that `trackai.settings` looks up in the environment."""
    source = Path(trackai.settings.__file__).read_text(encoding="utf-8")
    names = set()
    for node in ast.walk(ast.parse(source)):
        is_lookup = (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "get"
            and ast.unparse(node.func.value) in {"env", "os.environ"}
        )
        if is_lookup:
            assert isinstance(node, ast.Call)
            assert isinstance(node.args[0], ast.Constant)
            names.add(str(node.args[0].value))
    assert set(re.findall(r"TRACKAI_[A-Z_]+", source)) <= names, "a variable is read in another way"
    return names


def test_every_environment_variable_is_documented() -> None:
    page = (ROOT / "docs" / "database.md").read_text(encoding="utf-8")
    table = "\n".join(line for line in page.splitlines() if line.startswith("| `"))
    variables = environment_variables()
    assert {"TRACKAI_DB_PATH", "WANDB_PROJECT", "RANK", "NO_COLOR"} <= variables
    for variable in variables:
        assert f"`{variable}`" in table, variable


def test_every_operation_is_documented(server: Server) -> None:
    page = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
    operations: dict[str, dict[str, Any]] = server.get("/openapi.json")["paths"]
    assert len(operations) > 20
    for path, methods in operations.items():
        documented = re.sub(r"\{\w+_id\}", "{id}", path).replace("{metric_path}", "{path}")
        for method in methods:
            request = re.escape(f"{method.upper()} {documented}")
            assert re.search(rf"`{request}[?`]", page), f"{method.upper()} {path}"


def test_the_changelog_agrees_with_the_version() -> None:
    """The format is that of Keep a Changelog."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    version = r"\[(\d+\.\d+\.\d+)\] - (unreleased|\d{4}-\d\d-\d\d)"
    matches = [re.fullmatch(version, heading) for heading in versions]
    assert all(matches), versions
    assert matches[0] is not None
    assert matches[0][1] == trackai.__version__
    sections = re.findall(r"^### (.+)$", text, re.MULTILINE)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert sections
    assert set(sections) <= kinds
    entries = text[text.index("## [") :].splitlines()
    for line in filter(None, entries):
        assert line.startswith(("## ", "### ", "- ", "  ")), line


def curl_commands(page: Path) -> list[list[str]]:
    """The arguments of the curl commands in the examples of a page."""
    text = page.read_text("utf-8").replace("\\\n", "")
    blocks = "".join(re.findall(r"^```bash\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    commands = re.findall(r"^curl ((?:'[^']*'|[^\n'])*)$", blocks, re.MULTILINE)
    return [shlex.split(command) for command in commands]


def curl_request(arguments: list[str]) -> tuple[str, list[tuple[str, str]], str | None]:
    """The path of a command, its query parameters, and its body."""
    path, body = "", None
    query: list[tuple[str, str]] = []
    options = iter(arguments)
    for option in options:
        if option == "--data-urlencode":
            name, _, value = next(options).partition("=")
            query.append((name, value))
        elif option == "-d":
            body = next(options)
        elif option == "-H":
            next(options)
        elif not option.startswith("-"):
            path = option.removeprefix("localhost:8000")
    return path, query, body


def test_the_examples_of_the_api_read_the_demo(server: Server) -> None:
    demo = [sys.executable, "-m", "trackai.cli", "demo", "--db", str(server.db_path)]
    subprocess.run(demo, check=True, capture_output=True)
    commands = [
        command for command in curl_commands(ROOT / "docs" / "http.md") if "-N" not in command
    ]
    assert len(commands) == 8
    for command in commands:
        path, query, body = curl_request(command)
        if query:
            path += "?" + urllib.parse.urlencode(query)
        answer = server.request("POST" if body else "GET", path, json.loads(body or "null"))
        assert answer.status == 200, command
        assert has_values(answer.json) or path.endswith("since=0"), command


def has_values(answer: Any) -> bool:
    """Whether an answer has no empty lists and no missing values of runs."""
    if isinstance(answer, dict):
        return all(has_values(value) for key, value in answer.items() if key != "tags")
    return bool(answer) if isinstance(answer, list) else True
