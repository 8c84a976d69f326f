"""The shape of the package: imports go one way, there are no circles, functions are short."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "transformer_lite"

# What the chapters derive, and the models made of it: this imports nothing else of the package.
CORE = {
    "attention", "checks", "masks", "model", "positions", "recurrent", "scope", "scores", "seq2seq",
    "transformer", "windows",
}  # fmt: skip
# Who may import these; a node that is not named here may be imported by all.
GUESTS = {
    "fast": {"runs"},
    "runs": {"cli", "interop", "translator"},
    "translator": {"cli"},
    "cli": {"__main__"},
    "chapters": set(),
}
MOST_LINES = 40  # of a function, without its signature and docstring
SHUNNED = {"torchtext", "spacy", "lightning", "pytorch_lightning", "pickle", "joblib", "dill"}


def modules(package: str) -> dict[str, Path]:
    """Every module of a package of this project, by its dotted name."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(module: str, path: Path) -> set[str]:
    """Dotted names that a module imports, wherever in it; `from a import b` gives a and a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} has a relative import; write the whole name"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


OURS = modules(PACKAGE)
WITHIN = {
    module: {name for name in imports(module, path) if name in OURS and name != module}
    for module, path in OURS.items()
}


def node(module: str) -> str:
    """A loose module is a node of its own, a folder is one, and so is each chapter's folder."""
    parts = module.split(".")[1:]
    return "/".join(parts[: 2 if parts[0] == "chapters" else 1])


def test_the_tests_see_the_package() -> None:
    assert len(OURS) > 25 and WITHIN[f"{PACKAGE}.cli"] > {f"{PACKAGE}.runs"}


@pytest.mark.parametrize("module", sorted(set(OURS) - {PACKAGE}))
def test_imports_go_one_way(module: str) -> None:
    own = node(module)
    asked = {node(one) for one in WITHIN[module] if one != PACKAGE} - {own}
    if own in CORE:
        assert asked <= CORE
    for one in asked:
        kind = one.split("/")[0]
        assert own.split("/")[0] in GUESTS.get(kind, {own.split("/")[0]}), f"{own} imports {one}"
        assert kind != "chapters", "a chapter is found by looking into its folder, not imported"


@pytest.mark.parametrize("module", OURS)
def test_functions_are_short(module: str) -> None:
    for function in ast.walk(ast.parse(OURS[module].read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            body = function.body[ast.get_docstring(function) is not None :]
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert lines <= MOST_LINES, f"{module}.{function.name} has {lines} lines"


def test_importing_the_package_loads_nothing_that_is_slow_or_an_extra() -> None:
    """Loading matplotlib or typer takes a second that `import transformer_lite` must not cost."""
    program = (
        "import sys, transformer_lite, transformer_lite.interop; "
        "slow = ('matplotlib', 'typer', 'anywidget', 'transformers', 'sentencepiece', "
        "'ctranslate2', 'transformer_lite.chapters'); "
        "print([one for one in slow if one in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def asked(module: str) -> set[str]:
    """What a module imports; `from package import module` asks for the module alone."""
    found = WITHIN[module]
    return {one for one in found if not any(other.startswith(f"{one}.") for other in found)}


def between_nodes() -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for module in set(OURS) - {PACKAGE}:
        others = {node(one) for one in asked(module) if one != PACKAGE}
        graph[node(module)] = graph.get(node(module), set()) | (others - {node(module)})
    return graph


@pytest.mark.parametrize(
    "graph", [{module: asked(module) for module in OURS}, between_nodes()], ids=["files", "folders"]
)
def test_there_are_no_circles(graph: dict[str, set[str]]) -> None:
    finished: set[str] = set()

    def visit(one: str, trail: tuple[str, ...]) -> None:
        assert one not in trail, " → ".join([*trail[trail.index(one) :], one])
        if one not in finished:
            for other in sorted(graph.get(one, ())):
                visit(other, (*trail, one))
            finished.add(one)

    for one in graph:
        visit(one, ())
    assert finished >= set(graph)


def test_the_package_and_the_books_machinery_do_not_know_each_other() -> None:
    for package, stranger in ((PACKAGE, "bookbuild"), ("bookbuild", PACKAGE)):
        for module, path in modules(package).items():
            found = {name for name in imports(module, path) if name.split(".")[0] == stranger}
            assert not found, f"{module} imports {sorted(found)}"


@pytest.mark.parametrize("module", OURS)
def test_nothing_that_rots_and_nothing_that_unpickles(module: str) -> None:
    path = OURS[module]
    found = {name for name in imports(module, path) if name.split(".")[0] in SHUNNED}
    assert not found, f"{module} imports {sorted(found)}"
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert not calls & {"torch.load", "torch.save", "eval", "exec"}
