"""What the Python of a verifier says of the submission that it is for: names, calls, modules."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator


def plain_call(call: str) -> str | None:
    """The name in one call of a name with literal arguments, of which nothing else could be forged."""
    tree = ast.parse(call.strip(), mode="eval").body
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
        return None
    try:
        for argument in (*tree.args, *(keyword.value for keyword in tree.keywords)):
            ast.literal_eval(argument)
    except (ValueError, TypeError):
        return None
    return tree.func.id


def only_builtins(call: str) -> bool:
    """Whether an expression has names, and Python itself has them all: it says nothing of a submission."""
    nodes = list(ast.walk(ast.parse(call.strip(), mode="eval")))
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names = {node.id for node in nodes if isinstance(node, ast.Name)} - bound
    return bool(names) and all(hasattr(builtins, name) for name in names)


def names_used(source: str, module: str) -> list[str]:
    """The names in a test that may be the submission's: those it imports, and any that no builtin has.

    Not those that the test itself gives a meaning, or `from solution import *` would give them another.
    """
    tree = ast.parse(source)
    found: dict[str, None] = {}
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == module:
            imported |= {alias.name for alias in node.names}
            found |= dict.fromkeys(alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute):
            found[node.attr] = None
        elif isinstance(node, ast.Name) and not hasattr(builtins, node.id):
            found[node.id] = None
    own = set(_bound(tree.body, module)) - imported
    return [name for name in found if name.isidentifier() and name not in own]


def _bound(body: list[ast.stmt], module: str) -> Iterator[str]:
    """The names that statements bind outside of functions, but for what they import from `module`."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            if not isinstance(node, ast.ImportFrom) or node.module != module:
                yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
            continue
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.stmt):
                yield from _bound([part], module)
            elif isinstance(part, ast.ExceptHandler):
                yield from _bound(part.body, module)
            elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                yield part.id


def modules_used(source: str) -> list[str]:
    """The modules that a test names without importing them: `math.isclose(...)`, numpy also as `np`.

    They must not be taken from the submission, which may import something else by that name.
    """
    tree = ast.parse(source)
    bases = {
        node.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    return sorted(bases & (sys.stdlib_module_names | {"np", "numpy"}))
