"""Tests run in one sandbox, the code they test in another: what crosses between them, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runtimes.test_grading import MARKER, SEARCH

from .conftest import Grader

pytestmark = pytest.mark.asyncio(loop_scope="package")

STACK = """
class Empty(LookupError): pass
class Stack:
    def __init__(self, items=()): self.items = list(items)
    def push(self, item): self.items.append(item); return self
    def pop(self):
        if not self.items: raise Empty("no item left")
        return self.items.pop()
    def copy(self): return Stack(self.items)
    def __len__(self): return len(self.items)
    def __iter__(self): return iter(self.items)
    def __eq__(self, other): return isinstance(other, Stack) and self.items == other.items
    def __add__(self, other): return Stack(self.items + other.items)
    def __getitem__(self, place): return self.items[place]
    def __enter__(self): return self
    def __exit__(self, *_): self.items.clear()
"""
STACK_TESTS = """
import pytest
from solution import Empty, Stack

@pytest.fixture
def stack():
    return Stack([1, 2])

def test_a_stack(stack):
    stack.push(3).push((4, "x"))
    assert len(stack) == 4 and list(stack) == [1, 2, 3, (4, "x")] and stack[0] == 1
    assert stack.pop() == (4, "x")
    assert isinstance(stack, Stack) and not isinstance(1, Stack)

def test_two_stacks(stack):
    assert stack == stack.copy() and stack != Stack() and not Stack()
    assert list(stack + Stack([3])) == [1, 2, 3]
    stack.items = [9]
    assert stack.items == [9]
    with stack as entered:
        entered.push(1)
    assert len(stack) == 0

def test_an_empty_one():
    with pytest.raises(Empty, match="no item left"):
        Stack().pop()
    with pytest.raises(LookupError):
        Stack().pop()
    with pytest.raises(AttributeError):
        Stack().nothing
"""
SHAPES = """
import math
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
"""

PASSING = {
    "classes, exceptions and fixtures": (STACK, {"tests": STACK_TESTS}),
    "functions handed over": (
        "def twice(f, x): return f(f(x))\ndef best(items, key): return max(items, key=key)",
        {"tests": "assert twice(lambda x: x + 1, 3) == 5\nassert best(['a', 'bcd'], len) == 'bcd'"},
    ),
    "functions given back": (
        "def adder(a): return lambda b: a + b",
        {"tests": "assert adder(2)(3) == 5"},
    ),
    "generators": (
        "def count(n):\n    while True:\n        yield n\n        n += 1",
        {"tests": "import itertools\nassert list(itertools.islice(count(3), 3)) == [3, 4, 5]"},
    ),
    "values of every kind": (
        "def same(x): return x",
        {
            "tests": SHAPES
            + "for value in [None, True, 1 << 100, 1.5, math.inf, 'ü\\ud800', b'x', (1, [2]), {1, 2}, "
            "frozenset('a'), {(1, 2): {'a': ...}}, Decimal('1.10'), Fraction(1, 3), 1j, range(1, 9, 2), "
            "date(2024, 2, 29), timedelta(1, 2, 3), bytearray(b'y')]:\n"
            "    assert same(value) == value and type(same(value)) is type(value), value\n"
            "assert math.isnan(same(math.nan))"
        },
    ),
    "arrays": (
        "import numpy as np\ndef squares(a): return np.square(a)",
        {"tests": "import numpy as np\nnp.testing.assert_array_equal(squares(np.arange(3)), [0, 1, 4])"},
    ),
    "no numbers where none are due": (
        "def evens(items): return [x for x in items if x % 2 == 0]",
        {
            "tests": "import numpy as np\nassert np.allclose(evens([1]), [])\n"
            "assert np.allclose(evens([2]), 2)"
        },
    ),
    "errors of one name and other kinds": (
        "def f(x):\n    kind = KeyError if x else ValueError\n    raise type('Wrong', (kind,), {})(x)",
        {
            "tests": "import pytest\ndef test_f():\n    with pytest.raises(KeyError): f(1)\n"
            "    with pytest.raises(ValueError): f(0)"
        },
    ),
    "changed arguments": (
        "def order(items, seen):\n    items.sort()\n    seen['n'] = len(items)",
        {
            "tests": "items, seen = [3, 1, 2], {}\norder(items, seen)\n"
            "assert (items, seen) == ([1, 2, 3], {'n': 3})",
            "in_place": True,
        },
    ),
    "a module of another name": (
        "def add(a, b): return a + b\nLIMIT = 3",
        {
            "tests": "import calc\nfrom calc import *\nassert calc.add(1, 2) == calc.LIMIT == LIMIT",
            "module": "calc",
        },
    ),
    "an object that the tests made reckons with their values": (
        "class Vec:\n    def __init__(self, *parts): self.parts = list(parts)\n"
        "    def __mul__(self, by): return Vec(*(by * part for part in self.parts))\n"
        "    def __contains__(self, part): return part in self.parts\n"
        "    def name(self): return 'vec'",
        {
            "tests": "assert (Vec(1, 2) * 2 * 3).parts == [6, 12]\nassert 2 in Vec(1, 2)\n"
            "assert 3 not in Vec(1, 2)\nassert Vec(1).name().startswith('v')"
        },
    ),
    "errors of python's own": (
        "import sys\ndef f(x):\n    if x: raise KeyError(x)\n    sys.exit(3)",
        {
            "tests": "import pytest\ndef test_f():\n    with pytest.raises(KeyError): f('a')\n"
            "    with pytest.raises(SystemExit) as ended: f(0)\n    assert ended.value.code == 3"
        },
    ),
    "modules that nobody imported": (
        "def root(x): return x ** 0.5\nmath = None",
        {"cases": [{"call": "math.isclose(root(4), 2)", "expected": True}]},
    ),
    "a function named as a module": (
        "def calendar(x): return [x]",
        {"cases": [{"call": "calendar(4)[0] + 1", "expected": 5}]},
    ),
    "a function that is called as a builtin": (
        "def sum(items): return 6",
        {"cases": [{"call": "sum([1])", "expected": 6}]},
    ),
    "a function named as a builtin": (
        "def sum(items): return 6",
        {
            "tests": "def check(candidate):\n    assert candidate([1]) == 6 and sum([1]) == 1",
            "entry_point": "sum",
        },
    ),
    "large values": (
        "def double(x): return x * 2",
        {"tests": "assert double([1] * 100_000) == [1] * 200_000"},
    ),
}

LYING = """
class Liar:
    def __init__(self, *_): pass
    def __getattr__(self, name): return lambda *_: Liar()
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    def __hash__(self): return hash(3)
    def __sub__(self, other): return 0.0
    def __mod__(self, other): return 0
    __xor__ = __sub__
    def __contains__(self, value): return True
    def __abs__(self): return 0.0
    def __iter__(self): return iter([Liar(), Liar()])
Stack = total = Liar
"""
FAILING = {
    "an object is never equal to a value": (LYING, "assert Stack().pop() == 3"),
    "nor unequal to none": (LYING, "assert not Stack().pop() != 3"),
    "nor less than one": (LYING, "assert Stack().pop() < 3"),
    "nor more than one": (LYING, "assert 3 < Stack().pop()"),
    "nor in a list of them": (LYING, "assert Stack().pop() in [1, 2, 3]"),
    "nor in a set of them": (LYING, "assert Stack().pop() in {1, 2, 3}"),
    "nor a key among them": (LYING, "assert {3: True}[Stack().pop()]"),
    "nor equal within a list": (LYING, "assert [Stack().pop()] == [3]"),
    "nor near one": (LYING, "assert abs(Stack().pop() - 3.5) < 1e-6"),
    "nor near one as unittest asks": (
        LYING,
        "import unittest\nclass T(unittest.TestCase):\n"
        "    def test(self): self.assertAlmostEqual(Stack().pop(), 3.5)",
    ),
    "nor is one in it": (LYING, "assert 3 in Stack().pop()"),
    "nor a part of its text": (LYING, "assert Stack().name().startswith('three')"),
    "nor are its members near some": (
        LYING,
        "assert all(abs(a - b) < 1e-6 for a, b in zip(Stack().items(), [1.0, 2.0]))",
    ),
    "nor is nothing left of it": (LYING, "assert not Stack().pop() % 3"),
    "nor without it": (LYING, "assert not Stack().items() ^ {1, 2}"),
    "what the tests imported is not replaced": (
        "def isclose(*_): return True\ndef area(r): return 0",
        "from math import isclose\nfrom solution import *\nassert isclose(area(2), 12.566)",
    ),
    "no numbers are close to one": (
        "def mean(x): return []",
        "import numpy as np\nassert np.allclose(mean([1, 3]), [2.0])",
    ),
    "nor close to it one by one": (
        "import numpy as np\ndef mean(x): return np.array([])",
        "from numpy import isclose\nassert isclose(mean([1, 3]), 2.0).all()",
    ),
    "an array has the shape of its members": (
        "class Fake:\n    dtype, shape = '(3,)f8', (1,)\n    def tolist(self): return [1.0]\n"
        "Fake.__module__ = 'numpy'\ndef ones(): return Fake()",
        "import numpy as np\nassert np.array_equal(ones(), np.ones((1, 3)))",
    ),
    "an object where data is due": (LYING, "assert total(3)"),
    "a builtin of the submission's is not used": (
        "def sorted(_): return [3]\ndef total(): return 0",
        "assert sorted([total()]) == [3]",
    ),
    "a name that the tests define is theirs": (
        "def expected(): return 0\ndef total(): return 0",
        "def expected(): return 3\nassert total() == expected()",
    ),
    "an argument is not changed behind the tests' back": (
        "def order(items):\n    items.clear()\n    return items",
        "items = [3, 1]\nassert order(items) == sorted(items)",
    ),
    "what fails in words that are no Unicode": ("raise ValueError('\\ud800')", "assert total() == 3"),
    "what is missing": ("x = 1", "assert total() == 3"),
    "what does not import": ("import nothing_like_it", "assert total() == 3"),
    "a flood of questions": (
        "def total(f):\n    while True: f()",
        "assert total(lambda: 1) == 3",
    ),
    "tests that never end on such a value": ("def total(): return 1", "while total(): pass"),
}


@pytest.mark.parametrize("name", PASSING)
async def test_these_cross_and_pass(graded: Grader, name: str) -> None:
    code, spec = PASSING[name]
    verdict = await graded("python_tests", spec, code)
    assert verdict.reward == 1.0, verdict.reason


@pytest.mark.parametrize("name", FAILING)
async def test_these_do_not_pass(graded: Grader, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtimes.grading.apart.MOST_EXCHANGES", 200)
    code, tests = FAILING[name]
    spec: dict[str, Any] = {"tests": tests, "limits": {"wall_seconds": 5}}
    verdict = await graded("python_tests", spec, code)
    assert verdict.reward == 0.0
    assert verdict.reason


@pytest.mark.parametrize("value", ["'\\ud800'", "float('nan')"])
async def test_a_value_that_strict_readers_of_json_refuse_is_a_wrong_one(graded: Grader, value: str) -> None:
    spec = {"cases": [{"call": "total() if True else 3", "expected": 3}]}
    verdict = await graded("python_tests", spec, f"def total(): return {value}")
    assert (verdict.reward, "wrong value" in verdict.reason) == (0.0, True)


async def test_nothing_of_the_tests_is_in_the_sandbox_of_the_code(graded: Grader) -> None:
    looks = f"assert len(search()) > 10\nassert not any(search())\nexpected = {MARKER!r}"
    verdict = await graded("python_tests", {"tests": looks}, SEARCH)
    assert verdict.reward == 1.0, verdict.reason
    verdict = await graded("python_tests", {"tests": looks}, f"planted = {MARKER!r}\n{SEARCH}")
    assert verdict.reward == 0.0, "the search finds what is there"


async def test_a_failing_test_is_named_without_what_it_expects(graded: Grader) -> None:
    tests = f"from solution import f\ndef test_it():\n    assert f() == {MARKER!r}\n"
    verdict = await graded("python_tests", {"tests": tests}, "def f(): return 1")
    assert verdict.reason == "failed: test_it"
