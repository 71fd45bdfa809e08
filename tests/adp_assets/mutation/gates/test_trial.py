"""Trial: real episodes of a candidate, kept as they end, never run twice, not blamed for our failures."""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter

import sqlalchemy as sa

from adp_assets.mutation.gates.base import Finding
from adp_assets.mutation.gates.trial import TrialGate
from adp_assets.mutation.gates.tries import Outages
from adp_resources.database import Database
from adp_resources.tables import trials
from adp_resources.trials import FIRST_SAMPLE, Trials
from runtimes.contracts import TaskSpec, Verifier, trajectory_from_json
from runtimes.errors import BudgetSpent, InfrastructureError, ModelRefused, ModelUnavailable
from runtimes.llm.base import ChatModel
from runtimes.llm.teacher.families import sample_tasks
from runtimes.llm.teacher.teacher import Teacher
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from sandbox import SandboxPool
from tests.adp_assets.mutation.candidates import said
from tests.adp_assets.tasks import task
from tests.adp_resources.scenes import QUICK, Scene


def asked(name: str, expected: int = 42) -> TaskSpec:
    """A task that the scene's model answers with 42."""
    return task(
        name, task_type="reasoning", description=name, verifier=Verifier("numeric", {"expected": expected})
    )


async def tried(
    database: Database,
    model: ChatModel,
    *tasks: TaskSpec,
    samples: int = 2,
    at_once: int = 4,
    outages: Outages | None = None,
) -> list[Finding | BaseException]:
    """What the gate says of tasks that come at once."""
    outages = outages or Outages(QUICK)
    async with (
        Services(model, SandboxPool(slots=2), BrowserPool()) as services,
        TrialGate(
            services, Trials(database), round="r", samples=samples, at_once=at_once, outages=outages
        ) as gate,
    ):
        return await asyncio.gather(*(said(gate, each) for each in tasks), return_exceptions=True)


def rows(database: Database) -> dict[tuple[str, int], str]:
    with database.read() as connection:
        found = connection.execute(sa.select(trials.c.task_id, trials.c.sample, trials.c.outcome))
        return {(row.task_id, row.sample): row.outcome for row in found}


async def test_a_task_that_is_always_solved_is_kept_and_called_trivial(database: Database) -> None:
    (finding,) = await tried(database, Scene(), asked("easy"))
    assert finding == Finding(True, "trivial: solved in 2 of 2 trials", finding.measured)  # type: ignore[union-attr]
    assert finding.measured.expected_pass == 1.0
    assert rows(database) == {("easy", FIRST_SAMPLE): "solved", ("easy", FIRST_SAMPLE + 1): "solved"}


async def test_a_task_that_nothing_solves_is_refused_with_what_came_of_a_trial(database: Database) -> None:
    (finding,) = await tried(database, Scene(), asked("hopeless", expected=7))
    assert isinstance(finding, Finding)
    assert (finding.passed, finding.measured.expected_pass) == (False, 0.0)
    assert finding.reason == "solved in 0 of 2 trials: the answer's number 42 is not the expected one"


async def test_real_code_tasks_are_tried_in_the_sandbox_by_the_built_in_teacher(database: Database) -> None:
    tasks = sample_tasks(3, seed=11, types={"code": 3})
    found = await tried(database, Teacher(error_rate=0.5), *tasks, samples=4)
    rates = [finding.measured.expected_pass for finding in found if isinstance(finding, Finding)]
    assert len(rates) == 3
    assert any(rate is not None and 0 < rate < 1 for rate in rates), "samples differ, as their seeds do"
    with database.read() as connection:
        documents = connection.execute(sa.select(trials.c.document)).scalars().all()
    kept = [trajectory_from_json(zlib.decompress(document)) for document in documents]
    assert len({trajectory.sampling["seed"] for trajectory in kept}) == 12
    assert all(trajectory.steps for trajectory in kept)


async def test_without_samples_nothing_is_tried(database: Database) -> None:
    scene = Scene()
    (finding,) = await tried(database, scene, asked("any"), samples=0)
    assert isinstance(finding, Finding)
    assert (finding.passed, finding.measured.expected_pass, scene.tries.total()) == (True, None, 0)


async def test_a_finished_trial_is_never_run_again(database: Database) -> None:
    await tried(database, Scene(), asked("a"), samples=1)
    scene = Scene()
    (finding,) = await tried(database, scene, asked("a"), samples=3)
    assert isinstance(finding, Finding)
    assert finding.reason == "trivial: solved in 3 of 3 trials"
    assert scene.tries.total() == 2


async def test_a_task_is_not_judged_by_the_trials_of_another_that_had_its_id(database: Database) -> None:
    await tried(database, Scene(), asked("same"))
    scene = Scene()
    hopeless = task(
        "same",
        task_type="reasoning",
        description="Nothing solves this.",
        verifier=Verifier("numeric", {"expected": 7}),
    )
    (finding,) = await tried(database, scene, hopeless)
    assert isinstance(finding, Finding)
    assert (finding.passed, scene.tries.total()) == (False, 2)


async def test_no_more_episodes_are_in_flight_than_allowed(database: Database) -> None:
    meeting = asyncio.Barrier(3)
    scene = Scene(lambda task, attempt: meeting.wait())
    await tried(database, scene, *(asked(f"t{n}") for n in range(6)), samples=2, at_once=3)
    assert scene.most_in_flight == 3


async def test_our_failure_is_tried_again_and_then_leaves_the_candidate_undecided(database: Database) -> None:
    def act(task: str, attempt: int) -> None:
        if task == "down" or (task == "shaky" and attempt < 3):
            raise ModelUnavailable("No server.")

    shaky, down = await tried(database, Scene(act), asked("shaky"), asked("down"), samples=1)
    assert isinstance(shaky, Finding)
    assert shaky.passed
    assert isinstance(down, InfrastructureError)
    assert rows(database) == {
        ("shaky", FIRST_SAMPLE): "solved",
        ("down", FIRST_SAMPLE): "infrastructure_error",
    }
    (again,) = await tried(database, Scene(), asked("down"), samples=1)
    assert isinstance(again, Finding)
    assert again.passed
    assert rows(database)["down", FIRST_SAMPLE] == "solved"


async def test_an_outage_that_goes_on_ends_the_trials_of_all(database: Database) -> None:
    def act(task: str, attempt: int) -> None:
        raise ModelUnavailable("No server.")

    scene = Scene(act)
    found = await tried(database, scene, *(asked(f"t{n:02}") for n in range(30)), samples=1, at_once=1)
    assert all(isinstance(each, InfrastructureError) for each in found)
    assert scene.tries.total() == 10 * QUICK.tries


async def test_a_spent_budget_begins_no_further_trial(database: Database) -> None:
    begun: list[str] = []

    def act(task: str, attempt: int) -> None:
        begun.append(task)
        if len(begun) == 3:
            raise BudgetSpent("Round r stops.")

    scene = Scene(act)
    found = await tried(database, scene, *(asked(f"t{n:02}") for n in range(9)), samples=1, at_once=1)
    assert Counter(map(type, found)) == {Finding: 2, BudgetSpent: 7}
    assert len(begun) == 3


async def test_a_refused_key_is_raised_before_any_other_failure(database: Database) -> None:
    def act(task: str, attempt: int) -> None:
        raise ModelRefused("HTTP 401") if attempt == 2 else ModelUnavailable("No server.")

    (found,) = await tried(database, Scene(act), asked("t"), samples=2)
    assert isinstance(found, ModelRefused)
