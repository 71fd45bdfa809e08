"""Submissions that cheat get no reward of any verifier that runs code, and would of a naive one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from runtimes.contracts import Grade
from runtimes.services import Services
from sandbox import Limits

from .code_cheats import CHEATS, EQUALS, REWARD, WRONG, Cheat
from .conftest import Grader
from .naive import TESTS, fooled, fooled_in

pytestmark = pytest.mark.asyncio(loop_scope="package")

RIGHT = "def mystery(n): return {3: 731946, 10: 285013}.get(n)"
CALLS = [("mystery(3)", 731946), ("mystery(10)", 285013)]
VERIFIERS: dict[str, tuple[str, dict[str, Any]]] = {
    "calls": ("python_tests", {"cases": [{"call": call, "expected": value} for call, value in CALLS]}),
    "expressions": (
        "python_tests",
        {"cases": [{"call": f"{call} == {value}", "expected": True} for call, value in CALLS]},
    ),
    "builtins": (
        "python_tests",
        {"cases": [{"call": f"abs({call} - {value}) < 1", "expected": True} for call, value in CALLS]},
    ),
    "asserts": ("python_tests", {"tests": TESTS}),
    "check": (
        "python_tests",
        {
            "tests": "def check(candidate):\n"
            + "".join(
                f"    assert {call.replace('mystery', 'candidate')} == {value}\n" for call, value in CALLS
            ),
            "entry_point": "mystery",
        },
    ),
    "pytest": (
        "python_tests",
        {
            "tests": "import pytest\nfrom solution import mystery\n"
            "@pytest.mark.parametrize(('n', 'value'), [(3, 731946), (10, 285013)])\n"
            "def test_mystery(n, value):\n    assert mystery(n) == value\n"
        },
    ),
    "unittest": (
        "python_tests",
        {
            "tests": "import unittest\nfrom solution import mystery\nclass TestMystery(unittest.TestCase):\n"
            "    def test_all(self):\n        self.assertEqual([mystery(3), mystery(10)], [731946, 285013])\n"
        },
    ),
    "stdio": (
        "stdio",
        {"cases": [{"stdin": "3\n", "stdout": "731946\n"}, {"stdin": "10\n", "stdout": "285013\n"}]},
    ),
}


ROUTES = ("calls", "expressions", "pytest", "stdio")
"""One verifier of each way in which code is run; the others are further ways to write the same tests."""


async def rewards(graded: Grader, code: str, names: Iterable[str], **extra: Any) -> dict[str, float]:
    """What each of the verifiers gives for a submission."""
    names = list(names)
    verdicts = await asyncio.gather(*(_one(graded, name, code, extra) for name in names))
    return {name: verdict.reward for name, verdict in zip(names, verdicts, strict=True)}


async def _one(graded: Grader, name: str, code: str, extra: dict[str, Any]) -> Grade:
    kind, spec = VERIFIERS[name]
    whole = f"{code}\nprint(mystery(int(input())))\n" if kind == "stdio" else code
    return await graded(kind, {**spec, **extra}, whole)


async def test_an_honest_solution_gets_the_reward_of_each(graded: Grader) -> None:
    found = await rewards(graded, RIGHT, VERIFIERS)
    assert set(found.values()) == {1.0}, found


async def test_every_cheat_but_a_claim_is_a_program_and_there_are_many() -> None:
    for cheat in CHEATS:
        if not cheat.name.startswith("claims"):
            compile(cheat.code, cheat.name, "exec")
    assert len(CHEATS) >= 60


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.name)
async def test_a_cheat_gets_none(graded: Grader, cheat: Cheat) -> None:
    found = await rewards(graded, cheat.code, ROUTES, limits={"wall_seconds": 1})
    assert set(found.values()) == {0.0}, found


@pytest.mark.parametrize("cheat", EQUALS, ids=lambda cheat: cheat.name)
async def test_what_equals_everything_gets_none_however_tests_are_written(
    graded: Grader, cheat: Cheat
) -> None:
    found = await rewards(graded, cheat.code, VERIFIERS.keys() - set(ROUTES))
    assert set(found.values()) == {0.0}, found


@pytest.mark.parametrize("cheat", [each for each in CHEATS if each.fools], ids=lambda cheat: cheat.name)
async def test_the_cheat_would_work_on_a_naive_grader(services: Services, cheat: Cheat) -> None:
    assert cheat.fools in await fooled(services.sandboxes, cheat.code, Limits(wall_seconds=10))


async def test_the_naive_grader_tells_right_from_wrong(services: Services) -> None:
    limits = Limits(wall_seconds=10)
    assert await fooled(services.sandboxes, RIGHT, limits) == {"exit", "output", "file"}
    assert await fooled(services.sandboxes, "def mystery(n): return 0", limits) == set()


QUITS = "import os; print('REWARD: 1'); os._exit(0)"
LEFT_BEHIND = {
    "tests that pass": ({"tests.py": "", "unittest.py": "class TestCase:\n assertEqual = print"}, "exit"),
    "a json module": ({"json.py": f"def dump(_, file): file.write('{REWARD}')"}, "file"),
    "a unittest module": ({"unittest.py": QUITS}, "exit"),
    "a program named as the interpreter": (
        {"bin/python3": "#!/bin/sh\necho REWARD: 1", ".profile": "export PATH=/tmp/bin:$PATH"},
        "output",
    ),
    "what python starts with": (
        {"lib/sitecustomize.py": QUITS, ".profile": "export PYTHONPATH=/tmp/lib"},
        "output",
    ),
    "a reward": ({"reward.json": REWARD, "reward.txt": "1", "out.message": "!{}", "graded.json": "[]"}, ""),
    "modules of the tests": ({"conftest.py": QUITS, "pytest.py": QUITS, "pytest.ini": "[pytest]"}, ""),
}


@pytest.mark.parametrize("left", LEFT_BEHIND)
async def test_what_the_agent_left_in_its_sandbox_does_not_reach_the_grader(
    services: Services, graded: Grader, left: str
) -> None:
    files, sign = LEFT_BEHIND[left]
    async with services.sandboxes.session(limits=Limits(wall_seconds=10)) as episode:
        for path, text in files.items():
            await episode.write(path, text.encode())
        await episode.run(shell="chmod +x bin/python3; chmod 444 reward.json")
        assert set((await rewards(graded, WRONG, ROUTES)).values()) == {0.0}
        if sign:
            cheat = EQUALS[1].code if "tests.py" in files else WRONG
            assert sign in await fooled_in(episode, cheat), "it would work where the agent worked"


async def test_a_daemon_of_the_agents_that_waits_for_the_grader_does_not_meet_it(
    services: Services, graded: Grader
) -> None:
    daemon = f"""
import os, time
if os.fork() == 0:
    os.setsid()
    for _ in range(600):
        for path in ("/tmp/out.message", "graded.json", "reward.json"):
            open(path, "w").write('{REWARD}')
        time.sleep(0.01)
    os._exit(0)
"""
    async with services.sandboxes.session(limits=Limits(wall_seconds=10)) as episode:
        assert (await episode.step(daemon)).ok
        assert set((await rewards(graded, WRONG, ROUTES)).values()) == {0.0}
        assert "reward.json" in await episode.listdir(), "the daemon was at work meanwhile"
