"""Who may import whom, and who may read the environment."""

from __future__ import annotations

import ast
from pathlib import Path

import trackai

PACKAGE = Path(trackai.__file__).parent
# A file imports only from rows above its own, or from its own package.
ROWS = (
    {"errors", "settings", "locks", "guard"},
    {"structs"},
    {"store"},
    {"ingest"},
    {"exporters", "importers"},
    {"sdk", "api"},
    {"dashboard"},
    {"cli"},
)
ROW = {name: number for number, names in enumerate(ROWS) for name in names}
# The application puts the dashboard in front of itself; the command line starts the application.
ALLOWED = {("api", "dashboard"), ("api", "cli")}


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("trackai.")}
    return found


def test_files_import_only_from_above() -> None:
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        mine = layer(path)
        if mine == "__init__":
            continue
        assert mine in ROW, f"{path.name} is in no row"
        for other in imports(path) & ROW.keys():
            siblings = ROW[other] == ROW[mine] and {mine, other} == {"sdk", "api"}
            if (siblings or ROW[other] > ROW[mine]) and (mine, other) not in ALLOWED:
                wrong.append(f"{path.relative_to(PACKAGE)} imports {other}")
    assert not wrong


def test_imports_are_written_in_full() -> None:
    """Others are not seen above: relative ones, and the public names, which are the SDK's."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
            if isinstance(node, ast.ImportFrom) and node.module == "trackai":
                names = {alias.name for alias in node.names}
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "trackai":
                names = {node.attr}
            else:
                continue
            assert layer(path) == "cli" or not names & set(trackai.__all__) - {"__version__"}, path


def test_the_package_itself_only_re_exports() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        lazy = isinstance(node, ast.FunctionDef) and node.name == "__getattr__"
        assert lazy or isinstance(
            node, ast.Expr | ast.Import | ast.ImportFrom | ast.Assign | ast.If
        ), ast.unparse(node)


def test_the_rows_are_all_there() -> None:
    """A row that is misspelled would hold nothing."""
    present = {layer(path) for path in PACKAGE.rglob("*.py")}
    assert {"errors", "settings", "locks", "structs", "store", "ingest", "sdk", "api"} <= present


def test_only_settings_reads_the_environment() -> None:
    readers = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}:
                readers.add(path.name)
    assert readers == {"settings.py"}
