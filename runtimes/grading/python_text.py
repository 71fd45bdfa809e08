"""What the Python of a verifier says of the submission that it is for: names, calls, modules."""

from __future__ import annotations

import ast
import builtins
import sys


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
    """The names in a test that may be the submission's: those it imports, and any that no builtin has."""
    found: dict[str, None] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == module:
            found |= dict.fromkeys(alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute):
            found[node.attr] = None
        elif isinstance(node, ast.Name) and not hasattr(builtins, node.id):
            found[node.id] = None
    return [name for name in found if name.isidentifier()]


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
