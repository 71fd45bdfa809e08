"""Bugs as people make them, planted in Python source: one small change of its tree at a time."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """Source with a bug in it, and what was changed."""

    source: str
    change: str


_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_RECKONED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Mod: ast.FloorDiv,
    ast.FloorDiv: ast.Mod,
}
_CALLED = {"min": "max", "max": "min", "any": "all", "all": "any", "sum": "len"}


def bugs_in(source: str, rng: random.Random) -> list[Bug]:
    """Every bug that can be planted by one change, in an order of `rng`'s; none for what is no Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    found = [bug for at, node in enumerate(ast.walk(tree)) for bug in _bugs_at(tree, at, node)]
    rng.shuffle(found)
    return found


def _bugs_at(tree: ast.Module, at: int, node: ast.AST) -> Iterator[Bug]:
    before = ast.unparse(node) if isinstance(node, ast.expr) else ""
    for change in _changes(node):
        mutated = copy.deepcopy(tree)
        own = next(other for number, other in enumerate(ast.walk(mutated)) if number == at)
        change(own)
        after = ast.unparse(own)
        yield Bug(ast.unparse(ast.fix_missing_locations(mutated)), f"{before} -> {after}")


def _changes(node: ast.AST) -> Iterator[Callable[[ast.AST], None]]:
    """What can be done to this one node; each change is made upon a copy of it."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        yield _compare
    elif isinstance(node, ast.BinOp) and type(node.op) in _RECKONED:
        yield _reckon
    elif isinstance(node, ast.BoolOp):
        yield _join
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLED:
        yield _call
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield _one_more
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield _turn


def _compare(node: ast.AST) -> None:
    assert isinstance(node, ast.Compare)
    node.ops[0] = _COMPARED[type(node.ops[0])]()


def _reckon(node: ast.AST) -> None:
    assert isinstance(node, ast.BinOp)
    node.op = _RECKONED[type(node.op)]()


def _join(node: ast.AST) -> None:
    assert isinstance(node, ast.BoolOp)
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _call(node: ast.AST) -> None:
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    node.func.id = _CALLED[node.func.id]


def _one_more(node: ast.AST) -> None:
    assert isinstance(node, ast.Constant)
    assert isinstance(node.value, int)
    node.value += 1


def _turn(node: ast.AST) -> None:
    assert isinstance(node, ast.UnaryOp)
    node.op = ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()
    if isinstance(node.op, ast.Not):
        node.operand = ast.UnaryOp(ast.Not(), node.operand)
