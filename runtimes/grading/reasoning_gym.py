"""Grades answers to reasoning-gym's problems by its own scorers, in the sandbox, which has the package.

Nothing of it is installed or run on the host. Some of its scorers execute the answer, which has what is
expected in reach then: the data sets of `DATASETS` have none of these.
"""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from msgspec import Struct

from runtimes.contracts import Trajectory
from runtimes.errors import InfrastructureError, InvalidTask, VerifierFault
from runtimes.grading.base import SPEC_PLACE, VerifierKind
from runtimes.grading.jails import INSIDE, inside, ours_to_mend
from runtimes.services import Services
from runtimes.world import World
from sandbox import Limits, Profile, Result, SandboxPool, profile_of

PACKAGES = Path(__file__).with_name("reasoning_gym.txt")
"""reasoning-gym and what it needs; `python -m sandbox.layers build` makes a layer of it."""

_NAMES = """
    ab advanced_geometry aiw arc_1d base_conversion basic_arithmetic bf binary_alternation caesar_cipher
    calendar_arithmetic chain_sum circuit_logic color_cube_rotation count_bits count_primes
    course_schedule cryptarithm decimal_arithmetic decimal_chain_sum dice emoji_mystery
    family_relationships figlet_font fraction_simplification gcd group_anagrams gsm_symbolic jugs kakurasu
    knights_knaves largest_island lcm leg_counting letter_counting mahjong_puzzle manipulate_matrix maze
    mini_sudoku modulo_grid needle_haystack number_filtering number_format number_sequence
    palindrome_generation palindrome_partitioning path_star power_function prime_factorization products
    quantum_lock rectangle_count rotate_matrix rotten_oranges self_reference sentence_reordering
    shortest_path simple_equations simple_geometry sokoban string_manipulation string_splitting
    string_synthesis sudoku survo syllogism time_intervals tower_of_hanoi tsumego word_sequence_reversal
    word_sorting
"""
DATASETS = tuple(_NAMES.split())
"""Data sets whose scorers execute nothing of an answer, give every problem's own answer 1 and nonsense less,
and whose problems depend on the seed and their number alone. A test holds each to that."""

MOST_CHARACTERS = 20_000
JOB, PROBLEMS, VERDICT = "job.json", "problems.jsonl", "verdict.json"
SCORING = Limits(wall_seconds=20, cpu_seconds=20, memory_mb=512)
"""What a scorer does not get done in this counts as not right."""
MAKING = Limits(wall_seconds=300, cpu_seconds=300, memory_mb=1024)
_IMPORT = "from runtimes.grading.inside import gym\n"


class GymSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A data set's name, and one entry of it: `answer` and `metadata`, as its scorer reads them."""

    dataset: str
    entry: dict[str, Any]


class ReasoningGym(VerifierKind[GymSpec]):
    """The reward is the score of the data set's own scorer, which may be a part where the answer is near."""

    Spec = GymSpec

    def read(self, spec: dict[str, Any]) -> GymSpec:
        read = super().read(spec)
        try:
            check_dataset(read.dataset)
        except InvalidTask as error:
            raise InvalidTask(
                f"{error.message.rstrip('.')} - at `{SPEC_PLACE}.dataset`.", error.remedy
            ) from error
        if not isinstance(read.entry.get("answer"), str) or not isinstance(read.entry.get("metadata"), dict):
            raise InvalidTask(f"an entry has `answer`, a text, and `metadata` - at `{SPEC_PLACE}.entry`.")
        return read

    def needs_sandbox(self, spec: GymSpec) -> bool:
        return True

    async def grade(
        self, spec: GymSpec, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str]:
        answer = "" if trajectory.final_result is None else str(trajectory.final_result).strip()
        if not answer:
            return 0.0, "there is no answer"
        if len(answer) > MOST_CHARACTERS:
            return 0.0, f"the answer is longer than {MOST_CHARACTERS:,} characters"
        job = {"dataset": spec.dataset, "entry": spec.entry, "answer": answer}
        run = await _run(services.sandboxes, "score", job, SCORING, VERDICT)
        if run.status == "runtime_error":
            raise VerifierFault(f"The entry of {spec.dataset} cannot be scored: {_last_words(run)}.")
        if run.status != "ok":
            return 0.0, f"the answer could not be scored: that ended with {run.status}"
        verdict = json.loads(_left(run, VERDICT))
        if verdict["own"] < 1:
            raise VerifierFault(
                f"The entry of {spec.dataset} gives its own answer {verdict['own']:g}, not 1."
            )
        if "raised" in verdict:
            return 0.0, f"the answer cannot be read: {verdict['raised']}"
        score = float(verdict["score"])
        return score, f"the scorer of {spec.dataset} gives it {score:g}"


def check_dataset(name: str) -> None:
    """Raise InvalidTask for a data set that is not of `DATASETS`, naming what it may have meant."""
    if name not in DATASETS:
        near = get_close_matches(name, DATASETS) or DATASETS[:3]
        raise InvalidTask(
            f"{name!r} is no data set of reasoning-gym that is let in", f"Such as: {', '.join(near)}."
        )


async def make_problems(
    sandboxes: SandboxPool, dataset: str, seed: int, first: int, count: int
) -> list[dict[str, Any]]:
    """The problems `first` and on of a data set: `question`, `answer`, `metadata`; always the same.

    Raises InfrastructureError where they are not made in time, or the layer is not built.
    """
    job = {"dataset": dataset, "seed": seed, "first": first, "count": count}
    run = await _run(sandboxes, "make", job, MAKING, PROBLEMS)
    if run.status != "ok":
        raise InfrastructureError(
            "system_error", f"{dataset} made no problems: that ended with {run.status}. {_last_words(run)}"
        )
    return [json.loads(line) for line in _left(run, PROBLEMS).splitlines()]


async def _run(
    sandboxes: SandboxPool, function: str, job: dict[str, Any], limits: Limits, output: str
) -> Result:
    with ours_to_mend():
        return await sandboxes.run(
            code=f"{_IMPORT}gym.{function}({JOB!r})",
            files={**inside("gym"), JOB: json.dumps(job).encode()},
            outputs=[output],
            limits=limits,
            profile=gym_profile(),
        )


@functools.cache
def gym_profile() -> Profile:
    """A slot with the package imported ahead, which takes 2 s."""
    with ours_to_mend():
        profile = profile_of(PACKAGES)
    source = (INSIDE / "gym.py").read_text()
    return replace(profile, name="reasoning-gym", warm_up=f"{source}\npackage()\n", serves=("reasoning_gym",))


def _left(run: Result, name: str) -> bytes:
    data = next((file.data for file in run.files if file.path == name), None)
    if data is None:
        raise InfrastructureError("system_error", f"The sandbox left no {name}.")
    return data


def _last_words(run: Result) -> str:
    said = run.stderr.strip().splitlines()
    return said[-1][:200] if said else run.status
