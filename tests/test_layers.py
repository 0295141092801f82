"""Who may import whom, and who may read the environment."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import trackai

PACKAGE = Path(trackai.__file__).parent
# A file imports only from rows above its own, or from its own package.
ROWS = (
    {"errors", "settings", "locks", "guard", "lazy_imports", "script_end", "standard_streams"},
    {"values"},
    {"structs", "filters", "downsampling", "sweeps"},
    {"store"},
    {"ingest"},
    {"client"},
    {"exporters", "importers"},
    {"reading"},
    {"sdk", "api"},
    {"integrations", "compat"},
    {"dashboard"},
    {"cli"},
)
ROW = {name: number for number, names in enumerate(ROWS) for name in names}
# The application puts the dashboard in front of itself; the command line starts the application.
ALLOWED = {("api", "dashboard"), ("api", "cli")}
# The wings of the store likewise; two wings of one row do not import each other.
WINGS = (
    {"blobs"},
    {"engine"},
    {"postgres"},
    {"points", "catalogue"},
    {"charts"},
    {"transfer", "upkeep"},
)
WING = {name: number for number, names in enumerate(WINGS) for name in names}
MODULES = {
    ".".join(["trackai", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(
        ".__init__"
    ): path
    for path in PACKAGE.rglob("*.py")
    if "node_modules" not in path.parts
}


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of the syntax tree of a file, which several tests read."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imports(path: Path) -> set[str]:
    """The modules of TrackAI that a file imports: for types and inside functions, too."""
    modules = set()
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules |= names & MODULES.keys()
            if names - MODULES.keys():
                modules.add(node.module)
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    return (modules & MODULES.keys()) - {"trackai"}


def layer(module: str) -> str:
    return module.split(".")[1]


def test_files_import_only_from_above() -> None:
    wrong = []
    for module, path in MODULES.items():
        if module == "trackai":
            continue
        mine = layer(module)
        assert mine in ROW, f"{module} is in no row"
        for other in {layer(name) for name in imports(path)} - {mine}:
            siblings = ROW[other] == ROW[mine] and {mine, other} == {"sdk", "api"}
            if (siblings or ROW[other] > ROW[mine]) and (mine, other) not in ALLOWED:
                wrong.append(f"{module} imports {other}")
    assert not wrong


def test_wings_of_the_store_import_only_from_above() -> None:
    wrong = []
    for module, path in MODULES.items():
        match module.split("."):
            case ["trackai", "store", wing, _]:
                for name in imports(path):
                    match name.split("."):
                        case ["trackai", "store", other, _] if (
                            other != wing and WING[other] >= WING[wing]
                        ):
                            wrong.append(f"{module} imports {name}")
    assert not wrong
    assert {path.name for path in PACKAGE.joinpath("store").iterdir() if path.is_dir()} >= set(WING)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: imports(path) - {module} for module, path in MODULES.items()}
    del graph["trackai"]  # re-exports everything
    TopologicalSorter(graph).prepare()


def test_imports_are_written_in_full() -> None:
    """Others are not seen above: relative ones, and the public names, which are the SDK's."""
    for module, path in MODULES.items():
        for node in nodes(path):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
            if isinstance(node, ast.ImportFrom) and node.module == "trackai":
                names = {alias.name for alias in node.names}
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "trackai":
                names = {node.attr}
            else:
                continue
            public = names & set(trackai.__all__) - {"__version__"}
            assert not public or layer(module) in {"cli", "compat", "integrations"}, path


def test_the_package_itself_only_re_exports() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        lazy = isinstance(node, ast.FunctionDef) and node.name == "__getattr__"
        assert lazy or isinstance(
            node, ast.Expr | ast.Import | ast.ImportFrom | ast.Assign | ast.If
        ), ast.unparse(node)


def test_the_rows_are_all_there() -> None:
    """A row that is misspelled would hold nothing."""
    assert {layer(module) for module in MODULES if module != "trackai"} == ROW.keys()


def test_only_settings_reads_the_environment() -> None:
    readers = set()
    for path in MODULES.values():
        for node in nodes(path):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}:
                readers.add(path.name)
    assert readers == {"settings.py"}
