"""Small changes of each reference, made by machine, are rejected unless they change nothing."""

import ast
import copy
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from loading import load_all

from transformer_lite.exercises.catalogue import discover
from transformer_lite.exercises.checking import examine
from transformer_lite.exercises.exercise import Exercise

EXERCISES = discover()
ANSWERS = load_all("answers")

OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.Eq: ast.LtE,
    ast.NotEq: ast.Gt,
    ast.LtE: ast.Lt,
    ast.Pow: ast.Mult,
    ast.Invert: ast.UAdd,
    ast.USub: ast.UAdd,
}

# What may stand for each other anywhere; a chapter's own names are among its answers.
NAMES = {"exp": "tanh", "tanh": "sigmoid", "max": "min", "sum": "mean"}


def changes(node: ast.AST, names: dict[str, str]) -> Iterator[ast.AST]:
    """Every version of one node with one small change."""
    if type(getattr(node, "op", None)) in OPERATORS:
        yield altered(node, "op", OPERATORS[type(node.op)]())
    operators = getattr(node, "ops", [])
    for place, operator in enumerate(operators):
        if type(operator) in OPERATORS:
            other = OPERATORS[type(operator)]()
            yield altered(node, "ops", [*operators[:place], other, *operators[place + 1 :]])
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            yield from (ast.Constant(number + 1), ast.Constant(number - 1))
        case ast.Constant(value=str(word)) if word in names:
            yield ast.Constant(names[word])
        case ast.Name(id=word, ctx=ast.Load()) if word in names:
            yield altered(node, "id", names[word])
        case ast.Attribute(attr=word) if word in names:
            yield altered(node, "attr", names[word])
        case ast.IfExp():
            yield ast.IfExp(node.test, node.orelse, node.body)
        case ast.AugAssign():
            yield ast.Pass()
        case ast.Slice():
            for bound in ("lower", "upper"):
                if getattr(node, bound):
                    yield altered(node, bound, None)


def altered(node: ast.AST, name: str, value: object) -> ast.AST:
    changed = copy.copy(node)
    setattr(changed, name, value)
    return changed


class Exchange(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        return self.new if node is self.old else self.generic_visit(node)


def answers_to(exercise: Exercise) -> Any:
    """The module `answers` of the exercise's chapter."""
    return ANSWERS[exercise.reference.__module__.split(".")[2]]


def plain_tree(exercise: Exercise) -> ast.Module:
    """The reference as a tree without annotations and docstring, which no change should touch."""
    tree = ast.parse(inspect.getsource(inspect.unwrap(exercise.reference)))
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.returns, function.body = None, function.body[1:]
    for argument in function.args.args:
        argument.annotation = None
    return tree


def mutants(exercise: Exercise) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Each mutant of the reference, and what was changed in it."""
    name, module = exercise.reference.__name__, sys.modules[exercise.reference.__module__]
    names = NAMES | answers_to(exercise).NAMES
    tree = plain_tree(exercise)
    known = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in list(ast.walk(tree)):
        for new in changes(node, names):
            if isinstance(new, ast.Name) and new.id not in known:
                continue  # that it raises would show nothing
            # Copied node by node, the tree in hand stays as it is.
            mutant = Exchange(node, new).visit(rebuilt(tree, keep=node))
            scope = dict(module.__dict__)
            code = compile(ast.fix_missing_locations(mutant), f"mutant of {name}", "exec")
            exec(code, scope)
            yield f"{shown(node)} → {shown(new)}", scope[name]


def rebuilt(tree: ast.Module, keep: ast.AST) -> ast.Module:
    """A copy of a tree in which one node is the original, so that it can be found."""
    return copy.deepcopy(tree, {id(keep): keep})


def shown(node: ast.AST) -> str:
    return ast.unparse(node) or "nothing"


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda exercise: exercise.name)
def test_mutants_are_rejected(exercise: Exercise) -> None:
    made = list(mutants(exercise))
    passing = [text for text, mutant in made if examine(exercise, mutant, 5.0).passed]
    equivalent = answers_to(exercise).EQUIVALENT
    expected = [text for name, text in equivalent if name == exercise.name]
    assert len(made) >= 3
    assert sorted(passing) == sorted(expected)


def test_the_unchanged_tree_passes() -> None:
    """Or else every mutant would be rejected for a reason of its making."""
    for exercise in EXERCISES.values():
        name = exercise.reference.__name__
        scope = dict(sys.modules[exercise.reference.__module__].__dict__)
        exec(compile(plain_tree(exercise), name, "exec"), scope)
        assert examine(exercise, scope[name], 2.0).passed
