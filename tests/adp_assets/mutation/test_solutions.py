"""Verifiers made of solutions that were run: in the real sandbox, and on the shop's real pages."""

from __future__ import annotations

from typing import Any

import pytest

from adp_assets.mutation.refused import Refused
from adp_assets.mutation.solutions import WorkedOut, work_out
from runtimes.contracts import Verifier
from runtimes.services import Services

pytestmark = pytest.mark.asyncio(loop_scope="package")

ORDERS = "http://shop.test/_world/orders.json"
COUNT = "() => JSON.parse(document.body.innerText).length"


async def worked(
    services: Services, kind: str, spec: dict[str, Any], solution: str | list[str] = ""
) -> WorkedOut:
    return await work_out(Verifier(kind, spec), solution, services, ["shop.test"])


async def test_calls_get_the_values_that_the_solution_gives(services: Services) -> None:
    spec = {"cases": [{"call": "f(3)"}, {"call": "f(-1)", "expected": None}], "in_place": False}
    source = "def f(n):\n    return {'n': [n, n / 2]} if n > 0 else None"
    found = await worked(services, "python_tests", spec, f"```python\n{source}\n```")
    assert found.verifier.spec == {
        "cases": [
            {"call": "f(3)", "expected": {"n": [3, 1.5]}},
            {"call": "f(-1)", "expected": None},
        ],
        "in_place": False,
    }
    assert found.reference.strip() == source


@pytest.mark.parametrize(
    ("kind", "printed", "expected"),
    [
        ("numeric", "1,234.5", 1234.5),
        ("exact", "Mei Wang", "Mei Wang"),
        ("json", '{"a": [1, 2.5]}', {"a": [1, 2.5]}),
    ],
)
async def test_an_answer_is_what_the_program_prints(
    services: Services, kind: str, printed: str, expected: Any
) -> None:
    found = await worked(services, kind, {}, f"print({printed!r})")
    assert found == WorkedOut(Verifier(kind, {"expected": expected}), printed)


async def test_a_claim_within_the_tolerance_is_no_contradiction(services: Services) -> None:
    spec = {"expected": 3.33, "tolerance": 0.01}
    found = await worked(services, "numeric", spec, "print(10 / 3)")
    assert found.verifier.spec == {"expected": pytest.approx(10 / 3), "tolerance": 0.01}


@pytest.mark.parametrize(
    ("kind", "spec", "printed", "bounded"),
    [
        ("numeric", {"tolerance": 1000}, "25", {"tolerance": 0.1}),
        ("numeric", {"relative_tolerance": 0.99}, "50", {"relative_tolerance": 0.002}),
        ("numeric", {"tolerance": 9, "relative_tolerance": 0.5}, "0", {"tolerance": 0.1}),
        ("numeric", {"tolerance": 0.006}, "0.35", {"tolerance": 0.006}),
        ("json", {"tolerance": 1000}, '{"rates": [1000.5, 20.5], "n": "x"}', {"tolerance": 0.1125}),
        ("json", {"tolerance": 5}, "[true, 12" + "0" * 400 + ", 7]", {"tolerance": 0.1}),
        ("json", {"tolerance": 5}, '["x"]', {"tolerance": 5}),
    ],
)
async def test_a_tolerance_is_no_larger_than_the_values_allow(
    services: Services, kind: str, spec: dict[str, Any], printed: str, bounded: dict[str, float]
) -> None:
    found = (await worked(services, kind, spec, f"print({printed!r})")).verifier.spec
    assert {name: found[name] for name in bounded} == pytest.approx(bounded)


async def test_a_claim_is_held_to_the_tolerance_that_is_left_of_the_drafts(services: Services) -> None:
    with pytest.raises(Refused, match="contradictory: the draft claims that the answer is 20"):
        await worked(services, "numeric", {"expected": 20, "tolerance": 1000}, "print(25)")


@pytest.mark.parametrize("as_list", [False, True])
async def test_the_tolerance_of_a_page_is_bounded_by_what_its_script_reads(
    services: Services, as_list: bool
) -> None:
    check = {"url": ORDERS, "script": COUNT, "compare": "numeric", "tolerance": 1000}
    spec = {"checks": [check]} if as_list else check
    found = (await worked(services, "page_state", spec)).verifier.spec
    (kept,) = found["checks"] if as_list else [found]
    assert kept == {**check, "tolerance": 0.1}


async def test_an_answer_off_a_page_is_read_by_its_script(services: Services) -> None:
    spec = {"url": ORDERS, "script": COUNT, "compare": "numeric"}
    found = await worked(services, "page_state", spec)
    assert found.verifier == Verifier("page_state", spec)
    assert int(found.reference) > 10


async def test_a_state_has_no_reference(services: Services) -> None:
    spec = {"url": "http://shop.test/_world/state.json", "script": COUNT, "expected": 1}
    assert (await worked(services, "page_state", spec)).reference == ""


async def test_all_of_has_a_solution_a_part_and_all_their_answers(services: Services) -> None:
    parts = [
        {"kind": "python_tests", "spec": {"cases": [{"call": "f()"}]}},
        {"kind": "python_tests", "spec": {"cases": [{"call": "g()"}]}},
    ]
    sources = ["def f():\n    return 1", "def g():\n    return 2"]
    found = await worked(services, "all_of", {"parts": parts}, sources)
    assert found.verifier.spec["parts"][1]["spec"] == {"cases": [{"call": "g()", "expected": 2}]}
    assert found.reference == "\n\n".join(sources)


CASES = {"cases": [{"call": "f(1)"}]}
REFUSED: dict[str, tuple[str, dict[str, Any], str | list[str], str]] = {
    "hangs": ("numeric", {}, "while True:\n    pass", "the solution ended with "),
    "crashes": ("python_tests", CASES, "raise ValueError('no')", "runtime_error: ValueError: no"),
    "eats memory": ("exact", {}, "x = bytearray(1 << 30)\nprint(len(x))", "the solution ended with m"),
    "floods": ("exact", {}, "print('x' * (1 << 22))", "the solution ended with output_limit"),
    "reaches out": (
        "exact",
        {},
        "import urllib.request\nprint(urllib.request.urlopen('http://shop.test').read())",
        "the solution ended with",
    ),
    "prints nothing": ("exact", {}, "x = 1", "printed no answer"),
    "prints no number": ("numeric", {}, "print('several')", "which is no number"),
    "prints several": ("numeric", {}, "print('1 or 2')", "which is no number"),
    "prints no JSON": ("json", {}, "print('{1}')", "which is no JSON"),
    "has no such function": ("python_tests", CASES, "def g():\n    pass", "NameError"),
    "has no JSON value": ("python_tests", CASES, "def f(n):\n    return object()", "no value of JSON"),
    "gives no Unicode": ("python_tests", CASES, "def f(n):\n    return '\\ud800'", "is no Unicode"),
    "prints JSON of no Unicode": ("json", {}, "print('[\"\\\\ud800\"]')", "is no Unicode"),
    "prints NUL": ("exact", {}, "print('a' + chr(0) + 'b')", "or NUL"),
    "prints NUL beside a number": ("numeric", {}, "print('5' + chr(0))", "or NUL"),
    "fails with NUL": (
        "exact",
        {},
        "raise ValueError('a' + chr(0) + 'b')",
        "ValueError: a\N{REPLACEMENT CHARACTER}b",
    ),
    "prints an endless number": ("numeric", {}, "print('9' * 400)", "a number that is not finite"),
    "is missing": ("exact", {}, " ", "there is no solution to run"),
    "comes twice": ("exact", {}, ["print(1)", "print(1)"], "takes one solution"),
    "has no calls": ("python_tests", {}, "def f():\n    pass", "need `cases`"),
    "has calls without a text": ("python_tests", {"cases": [{}]}, "x = 1", "needs a `call`"),
    "has too many calls": ("python_tests", {"cases": [{"call": "f()"}] * 65}, "x = 1", "more than 64"),
    "asserts": ("python_tests", {"tests": "assert f()"}, "def f():\n    pass", "need `cases`"),
    "lacks a part": ("all_of", {"parts": [{"kind": "exact"}]}, [], "0 solutions were given for 1 parts"),
    "nests": ("all_of", {"parts": [{"kind": "all_of"}]}, ["x"], "no all_of itself"),
    "has a spec of another kind": ("numeric", {"tolerence": 1}, "print(1)", "tolerence"),
    "reads a foreign page": (
        "page_state",
        {"url": "http://10.0.0.1/", "script": COUNT, "compare": "numeric"},
        "",
        "reads 10.0.0.1, which no parent",
    ),
    "reads nothing": (
        "page_state",
        {"url": ORDERS, "script": "() => null", "compare": "numeric"},
        "",
        "gives null, which is no answer",
    ),
    "reads no Unicode": (
        "page_state",
        {"url": ORDERS, "script": "() => '\\ud800'", "compare": "exact"},
        "",
        "is no Unicode",
    ),
    "reads an endless number": (
        "page_state",
        {"url": ORDERS, "script": "() => 1 / 0", "compare": "numeric"},
        "",
        "a number that is not finite",
    ),
    "fails on the page": (
        "page_state",
        {"url": ORDERS, "script": "() => nowhere.at()", "compare": "numeric"},
        "",
        "could not be run",
    ),
}


@pytest.mark.parametrize(("kind", "spec", "solution", "reason"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_solution_that_gives_no_verifier_is_refused_with_its_reason(
    services: Services, kind: str, spec: dict[str, Any], solution: str | list[str], reason: str
) -> None:
    with pytest.raises(Refused) as refusal:
        await worked(services, kind, spec, solution)
    assert reason in str(refusal.value)
