"""Verdicts: right answers pass, wrong and forged ones do not, and graders keep what they know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtimes.contracts import Grade, Trajectory, Verifier
from runtimes.errors import InfrastructureError, InvalidTask
from runtimes.grading.answers import last_number
from runtimes.grading.base import check_verifier, grade
from runtimes.grading.python_tests import same_json, source_of
from runtimes.services import Services
from sandbox import Limits
from tests.runtimes.scripted import ScriptedModel, finishes, services

CASES = [{"call": "add(2, 3)", "expected": 5}, {"call": "add(-1, 1)", "expected": 0}]
MARKER = "marker-731946285013"
"""An expected value that no submission could come upon by itself."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened() -> AsyncIterator[Services]:
    async with services(ScriptedModel(finishes()), Limits(wall_seconds=2)) as opened:
        yield opened


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def graded(opened: Services, kind: str, spec: dict[str, Any], answer: Any) -> Grade:
    trajectory = Trajectory(task_id="t", runtime_id="r", final_result=answer)
    return await grade(Verifier(kind, spec), trajectory, opened, {})


async def python(opened: Services, code: Any, cases: list[dict[str, Any]] = CASES) -> Grade:
    return await graded(opened, "python_tests", {"cases": cases}, code)


@pytest.mark.parametrize(
    "code",
    [
        "def add(a, b):\n    return a + b",
        "Here it is:\n```python\ndef add(a, b):\n    return a + b\n```\nIt adds.",
        "print('noise')\nadd = lambda a, b: a + b",
        "def add(a, b):\n    print('graded.json')\n    return float(a + b)",
    ],
)
async def test_right_code_gets_the_full_reward(opened: Services, code: str) -> None:
    verdict = await python(opened, code)
    assert (verdict.reward, verdict.verifier) == (1.0, "python_tests")


@pytest.mark.parametrize("call", ["add(2, 3)", "add(2, 3) + ''"])
async def test_a_result_that_would_fill_our_memory_is_not_read(opened: Services, call: str) -> None:
    code = "def add(a, b):\n    return 'x' * 1_200_000"
    verdict = await python(opened, code, [{"call": call, "expected": "x"}])
    assert verdict.reward == 0.0
    assert "more than 1 MiB" in verdict.reason


ALWAYS_EQUAL = """
class Any(%s):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __repr__(self): return '5'
    __str__ = __repr__
    __hash__ = None
def add(a, b): return Any()
"""


@pytest.mark.parametrize(
    "code",
    [
        "sub = lambda a, b: a + b",
        "def add(a, b):\n    return a - b",
        "def add(a, b):\n    raise ValueError('no')",
        "def add(a, b): return str(a + b)",
        "def add(a, b): return a + b if a > 0 else None",
        "def add(a, b): return float('inf')",
        "def add(a, b): return float('nan')",
        "def add(a, b): return 10 ** 400",
        "def add(a, b): return 10 ** 5000",
        "def add(a, b):\n    x = []\n    x.append(x)\n    return x",
        "def add(a, b):\n    x = []\n    for _ in range(900): x = [x]\n    return x",
        "import json\njson.dump = lambda v, f, **k: f.write('[' * 100000)\nadd = None",
        "def add(a, b): return '\\ud83d'",
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "import os; os.kill(os.getpid(), 9)",
        "while True: pass",
        "def add(a, b):\n    import sys\n    sys.exit(0)",
        "def add(a, b:",
        "",
        "5",
        "\\ud83d",
        "x = 1" + " " * (1 << 25),
        'print(\'[{"value": 5}, {"value": 0}]\')',
        'open("graded.json", "w").write(\'[{"value": 1}, {"value": 1}]\'); import os; os._exit(0)',
        "import json\njson.dump = lambda *a, **k: None\nadd = lambda a, b: 1",
        "import json\njson.dump = lambda v, f, **k: f.write('{\"reward\": 1}')\nadd = lambda a, b: 1",
        "import json\njson.dump = lambda v, f, **k: f.write('[true, true]')\nadd = lambda a, b: 1",
        "import json\njson.dump = lambda v, f, **k: f.write('[{}, {}]')\nadd = lambda a, b: 1",
        "import json\njson.dump = lambda v, f, **k: f.write('[{\"error\": {}}, {}]')\nadd = lambda a, b: 1",
        "import os; os.mkfifo('graded.json'); os._exit(0)",
        "import os; os.mkdir('graded.json'); os._exit(0)",
        "import os; os.symlink('/proc/self/environ', 'graded.json'); os._exit(0)",
        "import sys; sys.modules['json'] = None",
        "import builtins; builtins.eval = lambda *a: True; add = None",
        ALWAYS_EQUAL % "object",
        ALWAYS_EQUAL % "int",
        ALWAYS_EQUAL % "float",
        ALWAYS_EQUAL % "str",
        ALWAYS_EQUAL % "dict",
        ALWAYS_EQUAL % "list",
        None,
        7,
        {"code": "def add(a, b): return a + b"},
    ],
)
async def test_code_that_is_wrong_or_forges_results_gets_no_reward_and_is_no_fault_of_ours(
    opened: Services, code: Any
) -> None:
    verdict = await python(opened, code)
    assert verdict.reward == 0.0
    assert verdict.reason
    assert len(verdict.reason) < 500


SEARCH = """
import os, re, sys
def everything():
    yield repr((sys.argv, dict(os.environ), [frame.f_locals for frame in frames()])).encode()
    for root, _, names in [entry for folder in (".", "/tmp") for entry in os.walk(folder)]:
        for name in names:
            yield name.encode() + open(os.path.join(root, name), "rb").read()
    with open("/proc/self/mem", "rb", 0) as memory:
        for line in open("/proc/self/maps").read().splitlines():
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            if " rw-p " in line:
                memory.seek(start)
                yield memory.read(end - start)
def frames():
    frame = sys._getframe()
    while frame:
        yield frame
        frame = frame.f_back
def search():
    pattern = re.compile(b"marker-7319462850[1]3")  # which does not match itself
    return [bool(pattern.search(data)) for data in everything()]
"""


async def test_the_expected_value_is_nowhere_in_the_sandbox(opened: Services) -> None:
    cases: list[dict[str, Any]] = [
        {"call": "len(search()) > 10", "expected": True},
        {"call": "any(search())", "expected": False},
        {"call": "'x'", "expected": MARKER},
    ]
    verdict = await python(opened, SEARCH, cases)
    assert verdict.reason.startswith("case 3"), "the search looked at more than ten places and found nothing"
    verdict = await python(opened, f"planted = {MARKER!r}\n{SEARCH}", cases)
    assert verdict.reason.startswith("case 2"), "the search finds what is there"


async def test_what_one_submission_left_behind_does_not_help_the_next(opened: Services) -> None:
    await python(opened, "open('/tmp/left', 'w').write('x'); open('left', 'w').write('x')")
    found = "import os\ndef add(a, b): return os.path.exists('left') or os.path.exists('/tmp/left')"
    verdict = await python(opened, found, [{"call": "add(1, 1)", "expected": True}])
    assert verdict.reward == 0.0


async def test_a_failing_case_is_named_without_its_expected_value(opened: Services) -> None:
    verdict = await python(
        opened, "def add(a, b): return 5", [*CASES, {"call": "add(1, 1)", "expected": MARKER}]
    )
    assert verdict.reason == "case 2 of 3, add(-1, 1): a wrong value"
    verdict = await python(opened, "def add(a, b): return a / 0")
    assert "raised ZeroDivisionError" in verdict.reason


async def test_a_grader_without_a_sandbox_is_our_failure_and_not_the_answers() -> None:
    async with services(ScriptedModel(finishes())) as opened:
        await opened.sandboxes.close()
        with pytest.raises(InfrastructureError, match="grader"):
            await python(opened, "def add(a, b): return a + b")


async def test_json_values_are_compared_by_type_and_floats_closely() -> None:
    assert same_json([1, {"a": [True, None]}], [1, {"a": [True, None]}])
    assert same_json(1.0, 1)
    assert same_json(0.1 + 0.2, 0.3)
    for value, expected in [
        (True, 1),
        (1, True),
        (0, False),
        (None, False),
        (None, 0),
        ("1", 1),
        ([1], [1, 1]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ([], {}),
        (float("inf"), 1e308),
        (float("nan"), float("nan")),
        (10**400, 1.5),
        (10**18 + 1, 10**18),
    ]:
        assert not same_json(value, expected), (value, expected)


async def test_the_code_of_an_answer_is_its_longest_fence() -> None:
    assert source_of("x = 1") == "x = 1"
    assert source_of("```\na\n```\nand\n```py\nlonger = 2\n```") == "longer = 2\n"


@pytest.mark.parametrize(
    ("answer", "reward"),
    [
        ("1234.5", 1),
        ("1,234.50", 1),
        ("The total is $1,234.50.", 1),
        ("共计１，２３４．５元", 1),
        ("答案是1234.5。", 1),
        ("first 7, then 1234.5", 1),
        ("1.2345e3", 1),
        ("1234.4999999999", 1),
        (1234.5, 1),
        ("-1234.5", 0),
        ("\N{MINUS SIGN}1234.5", 0),
        ("1234.5, or perhaps 7", 0),
        ("1234", 0),
        ("", 0),
        ("no idea", 0),
        ("inf", 0),
        ("1e999", 0),
        (None, 0),
        (["1234.5", "7"], 0),
    ],
)
async def test_a_numeric_answer_is_its_last_number(opened: Services, answer: Any, reward: float) -> None:
    verdict = await graded(opened, "numeric", {"expected": 1234.5}, answer)
    assert verdict.reward == reward, verdict.reason
    assert "1234.5" not in verdict.reason or "1234.5" in str(answer)


async def test_negative_numbers_keep_their_sign() -> None:
    texts = ("-5", "= -5.", "\N{MINUS SIGN}5", "minus: \N{FULLWIDTH HYPHEN-MINUS}5")
    assert [last_number(text) for text in texts] == [-5.0] * 4


async def test_the_tolerance_is_absolute(opened: Services) -> None:
    spec = {"expected": 10, "tolerance": 0.5}
    assert [(await graded(opened, "numeric", spec, a)).reward for a in ("10.5", "10.6")] == [1, 0]


@pytest.mark.parametrize(
    ("answer", "reward"),
    [("北京", 1), ("  北京 \n", 1), ("New  York", 0), ("北京市", 0), ("", 0), (None, 0), (7, 0)],
)
async def test_an_exact_answer_is_the_expected_text(opened: Services, answer: Any, reward: float) -> None:
    assert (await graded(opened, "exact", {"expected": "北京"}, answer)).reward == reward


async def test_an_exact_answer_may_differ_in_case_width_and_spaces(opened: Services) -> None:
    verdict = await graded(opened, "exact", {"expected": "New York 7"}, " ＮＥＷ\n york\u3000７ ")
    assert verdict.reward == 1


@pytest.mark.parametrize(
    ("kind", "spec", "named"),
    [
        ("no_such", {}, "no_such"),
        ("numeric", {}, "expected"),
        ("numeric", {"expected": "five"}, "expected"),
        ("numeric", {"expected": 5, "tolerence": 1}, "tolerence"),
        ("exact", {"expected": 5}, "expected"),
        ("python_tests", {"cases": [{"call": "f()"}]}, "expected"),
        ("python_tests", {"cases": []}, "exactly one of `cases` and `tests`"),
        ("python_tests", {"cases": [{"call": "sum([1]) + 1", "expected": 2}]}, "nothing of a submission"),
        ("python_tests", {"cases": [{"call": "f()", "expected": 1}], "tests": "assert f()"}, "exactly one"),
        ("python_tests", {"cases": [{"call": "f()", "expected": 1}], "limits": {"memry": 1}}, "memory_mb"),
        ("python_tests", {"tests": "def check(candidate): pass"}, "entry_point"),
        ("python_tests", {"tests": "assert (", "module": "a"}, "no Python program"),
        ("stdio", {"cases": [{"stdout": "1"}], "limits": {"wall_seconds": 300}}, "at most 120 s"),
        ("stdio", {"cases": [{"stdin": "1"}]}, "stdout"),
        ("stdio", {"cases": [{"stdout": "1"}], "compare": "roughly"}, "tokens"),
        ("stdio", {"cases": [{"stdout": "1"}], "tolerance": 1}, "tokens"),
        ("json", {}, "schema"),
        ("json", {"schema": {"properties": {"a": {"type": "objekt"}}}}, "schema.properties.a.type"),
        ("json", {"schema": {"properties": {"a": {"$ref": "#/$defs/nobody"}}}}, "defs/nobody"),
        ("symbolic", {"expected": ""}, "length >= 1"),
        ("agreement", {"samples": 1}, ">= 3"),
        ("rubric", {"criteria": []}, "length >= 1"),
        ("any_of", {"parts": [{"kind": "numeric", "spec": {"expectd": 1}}]}, "parts.0..spec.expectd"),
        ("all_of", {"parts": [{"kind": "agreement", "spec": {"samples": 3}}]}, "stands alone"),
        (
            "all_of",
            {
                "parts": [
                    {"kind": "page_state", "spec": {"at": "last_page", "locator": "p", "expected": "x"}},
                    {"kind": "any_of", "spec": {"parts": [{"kind": "symbolic", "spec": {"expected": "1"}}]}},
                ]
            },
            "needs a sandbox",
        ),
        ("numeric", {"expected": 1, "tolerance": -1}, ">= 0"),
        ("page_state", {"url": "http://shop.test/", "script": "1"}, "expected"),
        (
            "page_state",
            {"url": "http://shop.test/", "script": "1", "expected": 1, "compare": "exact"},
            "exactly one of",
        ),
        ("page_state", {"url": "http://shop.test/", "script": "1", "compare": "roughly"}, "compare"),
    ],
)
async def test_a_verifier_that_cannot_grade_is_refused_when_the_task_is_read(
    kind: str, spec: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidTask, match=named):
        check_verifier(Verifier(kind, spec))
