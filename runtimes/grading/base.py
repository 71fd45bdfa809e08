"""What a verifier is, how one is found, and the call that grades a trajectory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct

from runtimes import plugins
from runtimes.contracts import Grade, Trajectory, Verifier
from runtimes.errors import InvalidTask, VerifierFault
from runtimes.services import Services
from runtimes.text import well_formed
from runtimes.world import World
from runtimes.wrong_fields import read_part

GROUP = "adp.verifiers"
MOST_ANSWER_CHARACTERS = 1_000_000
"""No right answer is longer, and no verifier should have to read one that is."""
SPEC_PLACE = "$.verifier.spec"
"""Where a spec stands in its task."""

SpecT = TypeVar("SpecT", bound=Struct)


class VerifierKind(ABC, Generic[SpecT]):
    """One way to verify. Register a subclass with the entry point group `adp.verifiers`, named by its kind.

    `grade` gets the trajectory, the fresh things it may open (`services`) and the `world` as the episode left
    it (`Runtime.episode`). A wrong answer is a reward of 0, never an exception, and so is whatever the agent
    can bring about: a grader that it can hang, crash or fill up must end with 0. `grade` raises VerifierFault
    when the spec itself is at fault, InfrastructureError when the platform is.
    """

    Spec: type[SpecT]

    @abstractmethod
    async def grade(
        self, spec: SpecT, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str]:
        """The reward, 0 to 1, and the reason in words."""

    async def verdict(
        self, spec: SpecT, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str, bool]:
        """As `grade`, and whether this very verdict rests on an opinion alone."""
        reward, reason = await self.grade(spec, trajectory, services, world)
        return reward, reason, self.judges(spec)

    def read(self, spec: dict[str, Any]) -> SpecT:
        """A task's `verifier.spec` as this kind has it. Raises InvalidTask naming the field at fault."""
        return read_part(spec, self.Spec, SPEC_PLACE)

    def judges(self, spec: SpecT) -> bool:
        """Whether the reward may rest on an opinion alone, a model's above all.

        Trajectories judged so are kept out of datasets unless a setting lets them in.
        """
        return False

    def needs_sandbox(self, spec: SpecT) -> bool:
        """Whether `grade` waits for a sandbox."""
        return False

    def needs_last_page(self, spec: SpecT) -> bool:
        """Whether `grade` looks at the page the agent ended on, which then keeps its place in the browser.

        A verifier that does must wait for nothing that other episodes hold, a sandbox above all.
        """
        return False

    def needs_world(self, spec: SpecT) -> bool:
        """Whether `grade` reads the `world`, which nobody stores: such a verdict cannot be given again."""
        return self.needs_last_page(spec)


class VotingKind(VerifierKind[SpecT]):
    """A verifier that needs all samples of a task: the single one stays unverified until `tally` decides."""

    async def grade(
        self, spec: SpecT, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str]:
        raise VerifierFault("The verdict waits for the task's other samples.")

    @abstractmethod
    def tally(self, spec: SpecT, samples: Sequence[Trajectory]) -> list[tuple[float, str]] | str:
        """Each sample's reward and reason, in order; or in words why none can be given (yet)."""


def check_verifier(verifier: Verifier) -> None:
    """Raise InvalidTask when nothing here can grade by `verifier`, naming the field at fault."""
    read_verifier(verifier)


def read_verifier(verifier: Verifier) -> tuple[VerifierKind[Any], Any]:
    """The kind and the spec as it reads it. Raises InvalidTask as `check_verifier` does."""
    kind = _kind(verifier)
    try:
        return kind, kind.read(verifier.spec)
    except InvalidTask as error:
        message = f"the verifier's spec is not one of kind {verifier.kind!r}: {error.message}"
        raise InvalidTask(message, error.remedy) from error


def needs_last_page(verifier: Verifier) -> bool:
    """Whether the episode's last page is to stay open for this verifier."""
    kind, spec = read_verifier(verifier)
    return kind.needs_last_page(spec)


def needs_world(verifier: Verifier) -> bool:
    """Whether the verdict can only be given right after the episode."""
    kind, spec = read_verifier(verifier)
    return kind.needs_world(spec)


def is_voting(verifier: Verifier) -> bool:
    """Whether the verdict needs all samples of the task. False for a verifier that cannot be read."""
    try:
        kind, _ = read_verifier(verifier)
    except InvalidTask:
        return False
    return isinstance(kind, VotingKind)


async def grade(verifier: Verifier, trajectory: Trajectory, services: Services, world: World) -> Grade:
    """The verdict on a finished trajectory."""
    kind, spec = read_verifier(verifier)
    answer = trajectory.final_result
    if isinstance(answer, str) and len(answer) > MOST_ANSWER_CHARACTERS:
        reason = f"the answer is longer than {MOST_ANSWER_CHARACTERS:,} characters"
        return _grade(verifier, 0.0, reason, judged=False)
    reward, reason, judged = await kind.verdict(spec, trajectory, services, world)
    return _grade(verifier, reward, reason, judged=judged)


def tally(verifier: Verifier, samples: Sequence[Trajectory]) -> list[Grade] | str | None:
    """The verdicts on all finished samples of one task, in order; or in words why there are none (yet).

    None for a verifier that grades each sample by itself.
    """
    kind, spec = read_verifier(verifier)
    if not isinstance(kind, VotingKind):
        return None
    found = kind.tally(spec, samples)
    if isinstance(found, str):
        return found
    return [_grade(verifier, reward, reason, judged=kind.judges(spec)) for reward, reason in found]


def _grade(verifier: Verifier, reward: float, reason: str, *, judged: bool) -> Grade:
    if not 0 <= reward <= 1:
        raise VerifierFault(f"The verifier {verifier.kind!r} gave a reward of {reward}, outside 0 to 1.")
    return Grade(verifier=verifier.kind, reward=reward, reason=well_formed(reason), judged=judged)


def _kind(verifier: Verifier) -> VerifierKind[Any]:
    kinds = plugins.load(GROUP)
    if verifier.kind not in kinds:
        raise InvalidTask(
            f"there is no verifier of kind {verifier.kind!r}.",
            f"Known kinds: {', '.join(sorted(kinds))}. One of your own registers under {GROUP}.",
        )
    found = kinds[verifier.kind]()
    assert isinstance(found, VerifierKind)
    return found
