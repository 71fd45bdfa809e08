"""Wrong code made of right code: modules whose functions never give what they should, but something close.

Each calls the right function on copies of its arguments and gives another value than that one gave. So its
answer is wrong whatever it is asked, also where nothing, an empty list or an argument happens to be right: a
verifier that only ever expects 0 is not held to be lax for that, and one that lets any of these pass is,
since it has not looked at the value.
"""

from __future__ import annotations

_INSTEAD = {
    "code that is a little off": "value",
    "code that gives what is empty": "type(value)() if isinstance(value, plain) else None",
    "code that gives its first argument back": "args[0] if args else value",
}
"""What each gives; where that is right after all, a value a little off."""

_MODULE = """
def _planted():
    import copy

    plain = (bool, int, float, str, list, tuple, dict, set)
    right = {{"__name__": __name__}}
    exec(compile({source!r}, "solution.py", "exec"), right)

    def off(value):
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return value + 1
        if isinstance(value, float):
            return value + 0.1 + abs(value) / 20 if abs(value) < 1e300 else 0.0
        if isinstance(value, str):
            return value + "x"
        if isinstance(value, (list, tuple)):
            return value[:-1] if value else type(value)([0])
        if isinstance(value, dict):
            return dict(list(value.items())[:-1]) if value else {{0: 0}}
        if isinstance(value, set):
            return set(list(value)[1:]) if value else {{0}}
        return 0 if value is None else None

    def wrong(function):
        def answer(*args, **options):
            given, named = copy.deepcopy((args, options))
            value = function(*given, **named)
            instead = {instead}
            return off(value) if instead is value or instead == value else instead

        return answer

    globals().update({{name: wrong(value) for name, value in right.items() if callable(value)}})


_planted()
"""


def wrong_modules(source: str) -> dict[str, str]:
    """Modules with the names of this one and wrong values, by what they are in words."""
    return {what: _MODULE.format(source=source, instead=instead) for what, instead in _INSTEAD.items()}
