r"""Reads a mathematical answer and compares two, in two sandboxes.

Reading text as mathematics may execute it, as sympy's parser does. So `read_answer` runs where the expected
answer is not, and gives a tree of plain JSON; `compare` builds that tree of known parts only, and never sees
the text. Answers in LaTeX are read by math-verify's parser, others by sympy's.
"""

from __future__ import annotations

import cmath
import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import sympy
from sympy.core.relational import Relational

TREE, VERDICT = "tree.json", "verdict.json"
RELATIVE = 1e-6
"""How near a decimal has to be to what it stands for."""
DIGITS = 10_000
_CONSTANTS = {"pi": sympy.pi, "E": sympy.E, "I": sympy.I, "oo": sympy.oo, "-oo": -sympy.oo}
_FUNCTIONS = """
    Add Mul Pow Abs sin cos tan cot sec csc asin acos atan acot sinh cosh tanh asinh acosh atanh exp log sqrt
    floor ceiling factorial binomial gcd lcm Max Min conjugate re im sign Mod Tuple FiniteSet Interval Union
    Eq Ne Lt Le Gt Ge
"""
_NAMES = {"Equality": "Eq", "Unequality": "Ne", "StrictLessThan": "Lt", "LessThan": "Le"} | {
    "StrictGreaterThan": "Gt",
    "GreaterThan": "Ge",
}
_LEAD = re.compile(r"^(?:the\s+)?(?:final\s+)?answer\s*(?:is|:|=)\s*|^答案(?:是|为|:)?\s*", re.IGNORECASE)
_NAMED = re.compile(r"^\s*[A-Za-z]\w*\s*=\s*(?=[^=])")
_SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])|\\[,;!]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?:,\d{3})*(?!\d)(?![^()\[\]{}]*[)\]}]))")
_CODE = re.compile(r"""__|\.\s*[A-Za-z_]|["'`;@#:]|\blambda\b""")
_DECIMAL = r"[-+]?\s*(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_FRACTION = rf"\\[dt]?frac\s*(?:\{{{_DECIMAL}\}}|\d)\s*(?:\{{{_DECIMAL}\}}|\d)"
_UNIT = r"(?:\\?%|\\(?:text|mathrm|mbox)\s*\{[^{}]*\}|\^\{?\\circ\}?|\s)*"
_NUMBER = re.compile(
    rf"(?:\\\$)?(?:{_DECIMAL}|{_DECIMAL}\s*/\s*{_DECIMAL}|[-+]?\s*\d*\s*{_FRACTION}"
    rf"|{_DECIMAL}\s*(?:\\times|\\cdot|[*×])\s*10\s*(?:\^|\*\*)\s*\{{?[-+]?\d+\}}?){_UNIT}"
)
_MATH = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)


class Unreadable(Exception):
    """A text that is no single mathematical answer."""


def read_answer(path: str) -> None:
    """Write the tree of the answer in a file, or why there is none."""
    try:
        answer = single(_text(path))
        said: dict[str, Any] = {"worked_out": is_worked_out(answer), "tree": to_tree(parse(answer))}
    except Exception as error:
        said = {"unreadable": f"{type(error).__name__}: {error}"[:200]}
    with open(TREE, "w") as file:
        json.dump(said, file)


def read_expected(path: str) -> None:
    """As `read_answer`, of what is expected: all of the text."""
    with open(TREE, "w") as file:
        json.dump({"tree": to_tree(parse(_text(path)))}, file)


def compare(path: str, expected_path: str) -> None:
    """Write whether the two trees are equal."""
    answer, expected = (from_tree(json.loads(_text(each))["tree"]) for each in (path, expected_path))
    with open(VERDICT, "w") as file:
        json.dump({"equal": is_equal(answer, expected)}, file)


def single(text: str) -> str:
    """The one answer in a text: what it boxes, else its one formula, else all of it.

    Raises Unreadable for several different ones: the reader is not to choose.
    """
    for found in (list(_boxed(text)), ["".join(groups) for groups in _MATH.findall(text)]):
        different = {re.sub(r"\s", "", each) for each in found}
        if len(different) > 1:
            raise Unreadable("several answers")
        if found:
            return found[0]
    return _LEAD.sub("", text.strip()).strip().rstrip(".。")


def parse(text: str) -> Any:
    """A text's mathematics. Raises Unreadable, or whatever its parser meets.

    What stands in brackets, or beside commas, is a list of so many members: for an interval from 2 to 1,
    which is empty, and one from 4 to 3, are different answers.
    """
    plain = _settled(text)
    if re.search(r"[\d.]\s+[\d.]", plain):
        raise Unreadable("several numbers")
    brackets, members = _members(plain)
    if len(members) > 1:
        read = [parse(member) for member in members]
        if brackets in ("", "{}"):
            return sympy.FiniteSet(*read)
        return sympy.Tuple(*map(sympy.Symbol, brackets), *read)
    if "\\" in plain or re.search(r"[\^_]\{", plain):
        return _latex(plain)
    return _plain(plain)


def is_worked_out(text: str) -> bool:
    """Whether a text writes a number out, and does not leave it to the reader to compute: 5/2, not 2+1/2."""
    return _NUMBER.fullmatch(_settled(text)) is not None


def to_tree(value: Any) -> Any:
    """A sympy object as JSON. Raises Unreadable for what has parts that are not known."""
    if isinstance(value, bool | sympy.logic.boolalg.BooleanAtom):
        return ["bool", bool(value)]
    if isinstance(value, tuple | list):
        return ["Tuple", *map(to_tree, value)]
    if isinstance(value, set | frozenset):
        return ["FiniteSet", *map(to_tree, value)]
    value = sympy.sympify(value)
    if isinstance(value, sympy.Rational):
        return ["number", hex(int(value.p)), hex(int(value.q))]
    if isinstance(value, sympy.Float):
        return ["float", str(value)]
    if isinstance(value, sympy.Symbol):
        return ["symbol", value.name]
    for name, constant in _CONSTANTS.items():
        if value == constant:
            return ["constant", name]
    if isinstance(value, sympy.MatrixBase):
        return ["matrix", value.rows, value.cols, *map(to_tree, value)]
    name = type(value).__name__
    if (known := _NAMES.get(name, name)) not in _FUNCTIONS.split():
        raise Unreadable(f"{name} is not known here")
    return [known, *map(to_tree, value.args)]


def from_tree(tree: Any) -> Any:
    """The sympy object of a tree, built of known parts. Raises Unreadable, ValueError and the like."""
    kind, *parts = tree
    if kind == "bool":
        return sympy.true if parts[0] is True else sympy.false
    if kind == "number":
        return sympy.Rational(*(_whole(part) for part in parts))
    if kind == "float":
        if len(str(parts[0])) > DIGITS:
            raise Unreadable("a number of too many digits")
        return sympy.Float(str(parts[0]))
    if kind == "symbol":
        return sympy.Symbol(str(parts[0]))
    if kind == "constant":
        return _CONSTANTS[parts[0]]
    if kind == "matrix":
        return sympy.ImmutableMatrix(int(parts[0]), int(parts[1]), [from_tree(part) for part in parts[2:]])
    if kind not in _FUNCTIONS.split():
        raise Unreadable(f"{kind} is not known here")
    return getattr(sympy, kind)(*map(from_tree, parts))


def is_equal(one: Any, other: Any) -> bool:
    """Whether two answers are the same: of one form (number, list, set, matrix, relation), part by part."""
    if isinstance(one, sympy.MatrixBase) and isinstance(other, sympy.MatrixBase):
        return one.shape == other.shape and all(map(is_equal, one, other))
    if isinstance(one, sympy.Tuple) and isinstance(other, sympy.Tuple):
        return len(one) == len(other) and all(map(is_equal, one, other))
    if isinstance(one, sympy.FiniteSet) and isinstance(other, sympy.FiniteSet):
        return len(one) == len(other) and _match(list(one), list(other))
    if isinstance(one, Relational) and isinstance(other, Relational):
        one, other = one.canonical, other.canonical
        return type(one) is type(other) and is_equal(one.lhs - one.rhs, other.lhs - other.rhs)
    if not isinstance(one, sympy.Expr) or not isinstance(other, sympy.Expr):
        return bool(one == other)
    if one.has(sympy.nan, sympy.zoo) or other.has(sympy.nan, sympy.zoo):
        return False
    if one == other:
        return True
    if one.has(sympy.Float) or other.has(sympy.Float):
        return _near(one, other)
    return sympy.simplify(one - other) == 0 or one.equals(other) is True


def _match(some: list[Any], others: list[Any]) -> bool:
    """Whether each has an equal of its own: two that are near the same one are not two answers."""
    if not some:
        return True
    first, *rest = some
    return any(
        is_equal(first, other) and _match(rest, others[:place] + others[place + 1 :])
        for place, other in enumerate(others)
    )


def _near(one: sympy.Expr, other: sympy.Expr) -> bool:
    if one.free_symbols or other.free_symbols:
        return bool(
            sympy.simplify(sympy.nsimplify(one, rational=True) - sympy.nsimplify(other, rational=True)) == 0
        )
    a, b = complex(one.evalf(30)), complex(other.evalf(30))
    # Infinity is as near to every number as its own size allows.
    return cmath.isfinite(a) and cmath.isfinite(b) and abs(a - b) <= RELATIVE * max(abs(a), abs(b))


def _settled(text: str) -> str:
    """A text in one spelling, without sizes of brackets, thousands separators and the name before a value."""
    plain = unicodedata.normalize("NFKC", text).strip().replace("\N{MINUS SIGN}", "-")
    plain = _NAMED.sub("", _SIZES.sub("", plain).replace("{,}", ",")).strip()
    return _THOUSANDS.sub("", plain)


def _latex(text: str) -> Any:
    from math_verify import parse as math_parse
    from math_verify.parser import LatexExtractionConfig

    found = math_parse(
        f"${text}$", [LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None
    )
    if not found:
        raise Unreadable("no formula")
    return found[0]


def _plain(text: str) -> Any:
    from sympy.parsing.sympy_parser import (
        convert_xor,
        implicit_multiplication,
        parse_expr,
        standard_transformations,
    )

    if not text:
        raise Unreadable("nothing")
    if _CODE.search(text):
        raise Unreadable("a program")
    for written, meant in (("π", "pi"), ("∞", "oo"), ("×", "*"), ("·", "*"), ("÷", "/")):
        text = text.replace(written, meant)
    text = re.sub(r"(\d+(?:\.\d+)?)\s*%", r"(\1/100)", text)
    return parse_expr(
        text,
        local_dict={"e": sympy.E, "i": sympy.I},
        transformations=(*standard_transformations, convert_xor, implicit_multiplication),
    )


def _members(text: str) -> tuple[str, list[str]]:
    """The brackets around a text, if they belong together, and what its outermost commas part."""
    inner = text.replace("\\{", "{").replace("\\}", "}")
    brackets = ""
    if inner[:1] in tuple("([{") and inner[-1:] in tuple(")]}") and _closes_last(inner):
        brackets, inner = inner[0] + inner[-1], inner[1:-1]
    depth, members = 0, [""]
    for character in inner:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            members.append("")
        else:
            members[-1] += character
    return brackets, members


def _closes_last(text: str) -> bool:
    """Whether the bracket that opens a text is the one that ends it."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0:
            return place == len(text) - 1
    return False


def _boxed(text: str) -> Iterator[str]:
    r"""What stands in each \boxed{...}, braces within braces too."""
    for start in re.finditer(r"\\boxed\s*\{", text):
        depth = 1
        for place in range(start.end(), len(text)):
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            if depth == 0:
                yield text[start.end() : place]
                break


def _whole(text: Any) -> int:
    if len(str(text)) > DIGITS:
        raise Unreadable("a number of too many digits")
    return int(text, 16)


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
