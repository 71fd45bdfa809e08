"""Bugs as people make them, planted in Python source: one small change of its tree at a time."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice


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


def bugs_in(source: str, rng: random.Random) -> Iterator[Bug]:
    """Every bug that can be planted by one change, in an order of `rng`'s; none for what is no Python.

    Each is made when it is asked for, in time that grows with the source's length. Raises RecursionError
    then, where the source is nested too deeply to be written out again.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    places = [place for place, node in enumerate(ast.walk(tree)) if _change_of(node)]
    rng.shuffle(places)
    for place in places:
        yield _planted(ast.parse(source), place)


def _planted(tree: ast.Module, place: int) -> Bug:
    """The bug at this node of the tree, counted as `ast.walk` goes; the tree is changed."""
    node = next(islice(ast.walk(tree), place, None))
    change = _change_of(node)
    assert change is not None
    before = ast.unparse(node)
    change(node)
    after = ast.unparse(node)
    return Bug(ast.unparse(ast.fix_missing_locations(tree)), f"{before} -> {after}")


def _change_of(node: ast.AST) -> Callable[[ast.AST], None] | None:
    """What can be done to this one node, in place; None where there is nothing."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        return _compare
    if isinstance(node, ast.BinOp) and type(node.op) in _RECKONED:
        return _reckon
    if isinstance(node, ast.BoolOp):
        return _join
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLED:
        return _call
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return _one_more
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        return _turn
    return None


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
