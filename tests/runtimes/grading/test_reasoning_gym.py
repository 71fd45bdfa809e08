"""reasoning-gym: every data set that is let in is sound, and answers get the score of its own scorer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import pytest_asyncio

from adp_service.cli.import_reasoning_gym import ensure_layer
from runtimes.contracts import Trajectory
from runtimes.errors import InvalidTask, VerifierFault
from runtimes.grading.jails import inside
from runtimes.grading.reasoning_gym import DATASETS, ReasoningGym, gym_profile, make_problems
from runtimes.services import Services
from runtimes.world import World
from sandbox import Limits, SandboxPool

pytestmark = pytest.mark.asyncio(loop_scope="package")

NOT_LET_IN = ("string_insertion", "n_queens", "countdown", "complex_arithmetic", "coin_flip")
CHEATS = (
    "nonsense",
    "nan",
    "NaN",
    "inf",
    "[]",
    "{}",
    "__import__('os').getpid()",
    "9" * 50,
    "-1e999",
    "(" * 2_000,
)

EXAMINE = """
import json, re, sys
from runtimes.grading.inside.gym import package
seen = []
watching = False

def watch(event, arguments):
    if watching and event in ("compile", "exec", "os.system", "subprocess.Popen"):
        seen.append(event)

sys.addaudithook(watch)
names, cheats = json.load(open("job.json"))
found = {}
for name in names:
    problems = package().create_dataset(name, seed=3, size=4)
    scorer = package().create_dataset(name, seed=0, size=1)
    for index in range(4):
        entry = json.loads(json.dumps({key: problems[index][key] for key in ("answer", "metadata")}))
        own = entry["answer"]
        seen.clear()
        watching = True
        is_right = not own or scorer.score_answer(own.strip(), entry) == 1
        faults = [] if is_right else ["its own answer is wrong"]
        for cheat in (*cheats, re.sub(r"-?\\d+(\\.\\d+)?", "nan", own)):
            try:
                if cheat != own and scorer.score_answer(cheat, entry) >= 1:
                    faults.append("right: " + cheat)
            except Exception:
                pass
        watching = False
        if faults or seen:
            found.setdefault(name, []).extend([*faults, *seen])
json.dump(found, open("found.json", "w"))
"""


@pytest_asyncio.fixture(scope="module", loop_scope="package", autouse=True)
async def layer() -> None:
    ensure_layer()


async def graded(services: Services, dataset: str, entry: dict[str, Any], answer: Any) -> tuple[float, str]:
    kind = ReasoningGym()
    spec = kind.read({"dataset": dataset, "entry": entry})
    trajectory = Trajectory(task_id="t", runtime_id="r", final_result=answer)
    return await kind.grade(spec, trajectory, services, World())


async def examined(services: Services, names: tuple[str, ...]) -> dict[str, list[str]]:
    """What is wrong with data sets, by name."""
    run = await services.sandboxes.run(
        code=EXAMINE,
        files={**inside("gym"), "job.json": json.dumps([names, CHEATS]).encode()},
        outputs=["found.json"],
        limits=Limits(wall_seconds=60, cpu_seconds=60, memory_mb=1024),
        profile=gym_profile(),
    )
    assert run.status == "ok", run.stderr
    (file,) = (file for file in run.files if file.path == "found.json")
    assert file.data is not None
    found = json.loads(file.data)
    assert isinstance(found, dict)
    return found


async def test_no_scorer_that_is_let_in_executes_an_answer_or_takes_a_wrong_one(services: Services) -> None:
    assert await examined(services, DATASETS) == {}


async def test_scorers_that_do_are_found_and_not_let_in(services: Services) -> None:
    assert set(await examined(services, NOT_LET_IN)) == {*NOT_LET_IN}
    assert not set(NOT_LET_IN) & set(DATASETS)


async def test_a_problem_is_the_same_in_every_process_whatever_its_neighbours() -> None:
    async with SandboxPool(slots=2) as one, SandboxPool(slots=2) as other:
        firsts = await asyncio.gather(*(make_problems(one, name, 5, 0, 3) for name in DATASETS))
        thirds = await asyncio.gather(*(make_problems(other, name, 5, 2, 1) for name in DATASETS))
        elsewhere = await make_problems(one, "gcd", 6, 0, 3)
    same = [name for name, first, third in zip(DATASETS, firsts, thirds, strict=True) if first[2:] == third]
    assert same == list(DATASETS)
    assert elsewhere != firsts[DATASETS.index("gcd")]


async def test_the_reward_is_the_scorers(services: Services) -> None:
    (problem,) = await make_problems(services.sandboxes, "word_sorting", seed=1, first=0, count=1)
    entry = {"answer": problem["answer"], "metadata": problem["metadata"]}
    assert (await graded(services, "word_sorting", entry, f"  {problem['answer']}\n"))[0] == 1.0
    swapped = ", ".join(reversed(problem["answer"].split(", ")))
    assert 0 < (await graded(services, "word_sorting", entry, swapped))[0] < 1
    for answer in (None, " ", "x" * 20_001):
        assert (await graded(services, "word_sorting", entry, answer))[0] == 0.0


async def test_an_answer_that_a_scorer_cannot_read_is_a_wrong_one(services: Services) -> None:
    (problem,) = await make_problems(services.sandboxes, "prime_factorization", seed=1, first=0, count=1)
    entry = {"answer": problem["answer"], "metadata": problem["metadata"]}
    reward, reason = await graded(services, "prime_factorization", entry, "no idea")
    assert (reward, "cannot be read: ValueError" in reason) == (0.0, True)


@pytest.mark.parametrize("metadata", [{}, {"source_dataset": "gcd"}])
async def test_an_entry_that_its_scorer_cannot_use_is_the_tasks_fault(
    services: Services, metadata: dict[str, Any]
) -> None:
    with pytest.raises(VerifierFault, match="prime_factorization"):
        await graded(services, "prime_factorization", {"answer": "2 × x", "metadata": metadata}, "2 × 3")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {"dataset": "countdown", "entry": {"answer": "1", "metadata": {}}},
            r"that is let in - at .*dataset",
        ),
        ({"dataset": "gdc", "entry": {"answer": "1", "metadata": {}}}, "Such as: gcd"),
        ({"dataset": "gcd", "entry": {"answer": 1, "metadata": {}}}, "`answer`, a text"),
        ({"dataset": "gcd", "entry": {"answer": "1"}}, "`metadata`"),
        ({"dataset": "gcd"}, "entry"),
    ],
)
async def test_a_spec_that_names_no_problem_is_refused(spec: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidTask, match=said):
        ReasoningGym().read(spec)
