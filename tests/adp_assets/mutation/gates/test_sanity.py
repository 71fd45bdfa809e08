"""Sanity: verifiers that do not know right from wrong, graded in real sandboxes and on the shop's pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from aiohttp import web

from adp_assets.mutation.gates.base import Finding
from adp_assets.mutation.gates.probes import another
from adp_assets.mutation.gates.sanity import SanityGate
from adp_assets.mutation.gates.tries import Outages
from adp_assets.mutation.solutions import work_out
from runtimes.contracts import TaskSpec, Verifier
from runtimes.errors import InfrastructureError
from runtimes.llm.retry import RetryPolicy
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.site.catalogue import PRODUCTS
from sandbox import Limits, SandboxPool
from tests.adp_assets.mutation.candidates import ADD, SUMS, said
from tests.adp_assets.tasks import task
from tests.runtimes.scripted import ScriptedModel, says

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATE, CATALOGUE = "http://shop.test/_world/state.json", "http://shop.test/_world/catalogue.json"
SHOP = {"start_url": "http://shop.test/"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services() -> AsyncIterator[Services]:
    model = ScriptedModel(says('{"criteria": [{"why": "it is", "met": true}]}'))
    async with Services(model, SandboxPool(slots=2), BrowserPool(), Limits(wall_seconds=5)) as opened:
        yield opened


@pytest.fixture
def gate(services: Services) -> SanityGate:
    return SanityGate(services, round="r", at_once=2, outages=Outages(RetryPolicy(2, 0.001)))


async def judged(
    gate: SanityGate, kind: str, spec: dict[str, Any], reference: str = "", **of: Any
) -> Finding:
    return await said(gate, task(verifier=Verifier(kind, spec), **of), reference)


def page(check: dict[str, Any], constraints: dict[str, Any] = SHOP) -> TaskSpec:
    return task(task_type="web", constraints=constraints, verifier=Verifier("page_state", check))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def counter() -> AsyncIterator[str]:
    """A site each of whose pages says how often it was asked for; some fail, always or at first."""
    asked: Counter[str] = Counter()

    async def count(request: web.Request) -> web.Response:
        asked[request.path] += 1
        fails = request.path == "/failing" or (request.path == "/recovering" and asked[request.path] == 1)
        return web.Response(text=str(asked[request.path]), status=503 if fails else 200)

    app = web.Application()
    app.router.add_get("/{name}", count)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_verifier_that_knows_right_from_wrong_passes(gate: SanityGate) -> None:
    assert (await said(gate, task(verifier=SUMS), ADD)).passed
    for kind, spec, reference in (
        ("numeric", {"expected": 42}, "The answer is 42."),
        ("exact", {"expected": "Mount Fuji"}, "mount fuji"),
        ("json", {"expected": {"a": [1, 2]}}, '{"a": [1, 2]}'),
        ("stdio", {"cases": [{"stdin": "3\n", "stdout": "6\n"}]}, "print(2 * int(input()))"),
        ("all_of", {"parts": [{"kind": "numeric", "spec": {"expected": 7}}]}, "7"),
    ):
        found = await judged(gate, kind, spec, reference)
        assert found.passed, found.reason


async def test_contradictory_tests_are_refused_since_the_reference_fails_them(gate: SanityGate) -> None:
    cases = [{"call": "add(2, 3)", "expected": 5}, {"call": "add(2, 3)", "expected": 6}]
    found = await judged(gate, "python_tests", {"cases": cases}, ADD)
    assert "refuses the reference: case 2 of 2" in found.reason


@pytest.mark.parametrize(
    ("kind", "spec", "reference", "named"),
    [
        ("python_tests", {"cases": [{"call": "add(2, 3)", "expected": None}]}, "def add(a, b): ...", "None"),
        ("stdio", {"cases": [{"stdout": ""}]}, "x = 1", "empty answer"),
        ("numeric", {"expected": 5, "tolerance": 1e9}, "5", "another end"),
        ("json", {"schema": {}}, "[1]", "JSON of no use"),
        ("json", {"schema": {"type": "array"}}, "[1, 2, 3]", "JSON that is a little off"),
        ("json", {"expected": [1, 2, 3], "tolerance": 1000}, "[1, 2, 3]", "JSON that is a little off"),
        ("numeric", {"expected": 25, "tolerance": 1000}, "25", "its number a little off"),
        ("numeric", {"expected": 0.5, "relative_tolerance": 0.99}, "0.5", "its number a little off"),
        ("any_of", {"parts": [{"kind": "json", "spec": {"schema": {"type": "object"}}}]}, "{}", "of no use"),
        ("exact", {"expected": "Write the function of t."}, "Write the function of t.", "own words"),
    ],
)
async def test_verifiers_that_let_wrong_answers_pass_are_refused(
    gate: SanityGate, kind: str, spec: dict[str, Any], reference: str, named: str
) -> None:
    found = await judged(gate, kind, spec, reference)
    assert "lets" in found.reason
    assert named in found.reason


@pytest.mark.parametrize(
    ("calls", "named"),
    [
        (["isinstance(add(2, 3), int)", "isinstance(add(0, 3), int)"], "a little off"),
        (["add(2, 3) is not None"], "a little off"),
        (["add(2, 3) < 100000"], "a little off"),
        (["add([2], [3])[0]"], "a little off"),
        (["add(2, 3) in (0, 5)"], "what is empty"),
        (["sorted(add([1, 2], []), reverse=True)", "add(7, 0) in (7, 0)"], "first argument"),
    ],
)
async def test_tests_that_do_not_look_at_the_value_are_refused(
    gate: SanityGate, services: Services, calls: list[str], named: str
) -> None:
    source = ADD if named != "first argument" else "def add(a, b):\n    return a[::-1] if b == [] else b"
    worked = await work_out(
        Verifier("python_tests", {"cases": [{"call": call} for call in calls]}), source, services, []
    )
    reason = (await said(gate, task(verifier=worked.verifier), worked.reference)).reason
    assert "the verifier lets code that" in reason
    assert named in reason


HONEST = {
    "nothing but 0": ("def f(n):\n    return 0", ["f(1)", "f(2)"]),
    "an empty list": ("def f(n):\n    return [m for m in n if m > 9]", ["f([1])", "f([2, 3])"]),
    "always true": ("def f(n):\n    return n % 2 == 0", ["f(2)", "f(4)", "not f(3)"]),
    "its argument": ("def f(text):\n    return text.strip()", ["f('a')", "f('b')"]),
    "rounded": ("def f(n):\n    return n / 3", ["round(f(4), 2)", "abs(f(10) - 3.333) < 0.01"]),
    "one by one": ("def f(n):\n    yield from range(n)", ["list(f(3))"]),
    "itself": ("def f(n):\n    return n * f(n - 1) if n else 1", ["f(5)", "f(0)"]),
    "a name for a lambda": ("f = lambda n: n + 1", ["f(1)"]),
    "a huge number": ("def f(n):\n    return 10 ** n", ["f(30)"]),
    "no number": (
        "def f(n):\n    return float('inf') if n else float('nan')",
        ["f(1) == float('inf')", "f(0) != f(0)"],
    ),
    "a class": (
        "class Stack:\n    def __init__(self):\n        self.held = []\n"
        "    def push(self, value):\n        self.held.append(value)\n        return len(self.held)",
        ["Stack().push(1)"],
    ),
    "a data class": (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n\n@dataclass\n"
        "class Point:\n    x: int\n\ndef f(n):\n    return Point(n).x",
        ["f(3)"],
    ),
    "in place": ("def f(n):\n    n.sort()", ["(lambda n: (f(n), n)[1])([3, 1, 2])"]),
}


@pytest.mark.parametrize(("source", "calls"), HONEST.values(), ids=HONEST.keys())
async def test_tests_whose_right_values_are_easy_to_come_by_are_no_lax_ones(
    gate: SanityGate, services: Services, source: str, calls: list[str]
) -> None:
    cases = [{"call": call} for call in calls]
    spec = {"cases": cases, "in_place": any("lambda" in call for call in calls)}
    worked = await work_out(Verifier("python_tests", spec), source, services, [])
    found = await said(gate, task(verifier=worked.verifier), worked.reference)
    assert found.passed, found.reason


@pytest.mark.parametrize(
    ("kind", "spec", "printed"),
    [
        ("numeric", {"tolerance": 0.5}, "0.05"),
        ("numeric", {"tolerance": 5}, "1,234.5"),
        ("numeric", {"tolerance": 0.1}, "1e-05"),
        ("numeric", {}, "1307674368000"),
        ("numeric", {"relative_tolerance": 0.1}, "1e20"),
        ("json", {"tolerance": 3}, '{"a": [0.004, 1e12, 3], "b": true}'),
        ("json", {}, "[]"),
        ("json", {}, "null"),
        ("json", {}, '[["a"], {"b": false}]'),
        ("exact", {}, "17 May 2024"),
    ],
)
async def test_a_verifier_that_was_worked_out_refuses_what_is_near(
    gate: SanityGate, services: Services, kind: str, spec: dict[str, Any], printed: str
) -> None:
    worked = await work_out(Verifier(kind, spec), f"print({printed!r})", services, [])
    found = await said(gate, task(verifier=worked.verifier), worked.reference)
    assert found.passed, found.reason


async def test_a_verifier_that_is_at_fault_is_refused_with_the_fault(gate: SanityGate) -> None:
    broken = {"url": STATE, "script": "() => {", "expected": {}}
    assert "at fault: The verifier's script" in (await said(gate, page(broken))).reason


async def test_a_verifier_that_flips_between_runs_is_refused(gate: SanityGate, counter: str) -> None:
    once = {"url": f"{counter}/once", "script": "() => Number(document.body.innerText)"}
    answered = page(
        {**once, "compare": "numeric"}, constraints={"allowed_domains": [urlsplit(counter).netloc]}
    )
    assert "flips" in (await said(gate, answered, "1")).reason
    later = {**once, "url": f"{counter}/later", "expected": 2}
    untouched = page(later, constraints=answered.constraints)
    assert "flips: of an empty answer" in (await said(gate, untouched)).reason


async def test_an_untouched_world_must_not_pass(gate: SanityGate) -> None:
    cart = {"url": STATE, "script": "() => JSON.parse(document.body.innerText).cart"}
    assert "lets an empty answer pass" in (await said(gate, page({**cart, "expected": {}}))).reason
    assert (await said(gate, page({**cart, "expected": {"Jasmine Tea": 2}}))).passed


async def test_a_page_that_the_agent_need_not_leave_must_not_pass(gate: SanityGate) -> None:
    start = {"at": "last_page", "locator": "h1", "read": "count", "expected": 1}
    assert "lets an empty answer pass" in (await said(gate, page(start))).reason
    elsewhere = {"at": "last_page", "read": "url", "expected": "http://shop.test/cart"}
    assert (await said(gate, page(elsewhere))).passed
    stays = {"at": "last_page", "read": "url", "expected": "http://shop.test/"}
    assert "pass" in (await said(gate, page(stays))).reason


@pytest.mark.parametrize("url", ["http://nowhere.invalid/", "http://10.1.2.3/"])
async def test_a_start_page_that_nobody_can_open_is_refused(gate: SanityGate, url: str) -> None:
    title = {"at": "last_page", "locator": "h1", "expected": "Basket"}
    found = await said(gate, page(title, {"start_url": url}))
    assert found.reason.startswith(f"the start page cannot be opened: The grading page {url} did not open")


async def test_an_answer_that_is_compared_with_a_page_is_checked_with_its_reference(gate: SanityGate) -> None:
    script = "() => JSON.parse(document.body.innerText).length"
    right = page({"url": CATALOGUE, "script": script, "compare": "numeric"})
    assert (await said(gate, right, str(len(PRODUCTS)))).passed
    assert (await said(gate, right, "3")).reason.startswith("the verifier refuses the reference")


async def test_votes_and_judges_alone_are_refused_by_rule(gate: SanityGate) -> None:
    assert "votes" in (await judged(gate, "agreement", {"samples": 3}, "42")).reason
    rubric = {"criteria": ["It is polite."]}
    assert "a judge alone" in (await judged(gate, "rubric", rubric, "Good day.")).reason
    both = {
        "parts": [{"kind": "exact", "spec": {"expected": "Good day."}}, {"kind": "rubric", "spec": rubric}]
    }
    assert (await judged(gate, "all_of", both, "Good day.")).passed


async def test_no_reference_where_the_answer_decides_is_refused(gate: SanityGate) -> None:
    assert "no reference" in (await judged(gate, "numeric", {"expected": 1})).reason


async def test_a_failure_of_ours_decides_nothing_and_is_tried_again(gate: SanityGate, counter: str) -> None:
    failing = {"url": f"{counter}/failing", "script": "1", "expected": 2}
    hosts = {"allowed_domains": [urlsplit(counter).netloc]}
    with pytest.raises(InfrastructureError, match="503"):
        await said(gate, page(failing, constraints=hosts))
    recovering = {**failing, "url": f"{counter}/recovering"}
    assert (await said(gate, page(recovering, constraints=hosts))).passed


async def test_another_answer_keeps_the_form_and_is_far_off() -> None:
    assert another("9 * 2 = 18") == "9 * 2 = 1071"
    assert another("yes") == "not sey"
