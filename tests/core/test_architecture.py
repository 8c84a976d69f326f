"""The shape of the package: small modules, lower floors that know nothing of higher ones."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "transformer_lite"

# Lower floors know nothing of higher ones.
FLOORS = {
    1: ("masks", "threads", "dropout", "packing", "scores", "windows", "attention",
        "positions"),
    2: ("layers", "model", "stack", "recurrent", "transformer", "seq2seq",
        "seq2seq_config"),
    3: ("data", "losses", "distributed", "training", "decoding", "evaluation", "checkpoint",
        "interop", "marian", "marian_text", "recipe", "run_folder", "runs", "stopping"),
    4: ("translator", "palette", "plots", "results", "widgets", "exercises", "cli", "__main__"),
}  # fmt: skip
FLOOR = {name: floor for floor, names in FLOORS.items() for name in names}
LONGEST = 300  # lines of a module
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


def floor(module: str) -> int:
    return FLOOR[module.split(".")[1]]


def test_the_tests_see_the_package() -> None:
    assert len(OURS) > 25 and WITHIN[f"{PACKAGE}.cli"] > {f"{PACKAGE}.runs"}


@pytest.mark.parametrize("module", OURS)
def test_modules_are_short(module: str) -> None:
    lines = len(OURS[module].read_text(encoding="utf-8").splitlines())
    assert lines < LONGEST, f"{module} has {lines} lines"


@pytest.mark.parametrize("module", sorted(set(OURS) - {PACKAGE}))
def test_every_module_has_a_floor_and_imports_nothing_above_it(module: str) -> None:
    name = module.split(".")[1]
    assert name in FLOOR, f"{module} belongs to no floor: add it to the table above"
    higher = {one for one in WITHIN[module] - {PACKAGE} if floor(one) > floor(module)}
    assert not higher, f"{module} (floor {floor(module)}) imports {sorted(higher)}"


def test_importing_the_package_loads_nothing_that_is_slow_or_an_extra() -> None:
    """Loading matplotlib or typer takes a second that `import transformer_lite` must not cost."""
    program = (
        "import sys, transformer_lite, transformer_lite.interop; "
        "slow = ('matplotlib', 'typer', 'anywidget', 'transformers', 'sentencepiece'); "
        "print([one for one in slow if one in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_there_are_no_circles() -> None:
    finished: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " → ".join([*trail[trail.index(module) :], module])
        if module not in finished:
            # `from package import module` names the package too, but asks for the module alone.
            asked = {
                one
                for one in WITHIN[module]
                if not any(other.startswith(f"{one}.") for other in WITHIN[module])
            }
            for one in sorted(asked):
                visit(one, (*trail, module))
            finished.add(module)

    for module in OURS:
        visit(module, ())
    assert finished == set(OURS)


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
