"""What a verifier is, how one is found, and the call that grades a trajectory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

from msgspec import Struct

from runtimes import plugins
from runtimes.contracts import Grade, Trajectory, Verifier
from runtimes.errors import InvalidTask
from runtimes.services import Services
from runtimes.text import well_formed
from runtimes.world import World
from runtimes.wrong_fields import read_part

GROUP = "adp.verifiers"
SPEC_PLACE = "$.verifier.spec"
"""Where a spec stands in its task."""

SpecT = TypeVar("SpecT", bound=Struct)


class VerifierKind(ABC, Generic[SpecT]):
    """One way to verify. Register a subclass with the entry point group `adp.verifiers`, named by its kind.

    `grade` gets the trajectory, the fresh things it may open (`services`) and the `world` as the episode left
    it (`Runtime.episode`). A wrong answer is a reward of 0, never an exception; it raises VerifierFault
    when the spec itself is at fault, InfrastructureError when the platform is.
    """

    Spec: type[SpecT]

    @abstractmethod
    async def grade(
        self, spec: SpecT, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str]:
        """The reward, 0 to 1, and the reason in words."""

    def read(self, spec: dict[str, Any]) -> SpecT:
        """A task's `verifier.spec` as this kind has it. Raises InvalidTask naming the field at fault."""
        return read_part(spec, self.Spec, SPEC_PLACE)

    def needs_last_page(self, spec: SpecT) -> bool:
        """Whether `grade` looks at the page the agent ended on, which then keeps its place in the browser.

        A verifier that does must wait for nothing that other episodes hold, a sandbox above all.
        """
        return False


def check_verifier(verifier: Verifier) -> None:
    """Raise InvalidTask when nothing here can grade by `verifier`, naming the field at fault."""
    kind = _kind(verifier)
    try:
        kind.read(verifier.spec)
    except InvalidTask as error:
        message = f"the verifier's spec is not one of kind {verifier.kind!r}: {error.message}"
        raise InvalidTask(message, error.remedy) from error


def needs_last_page(verifier: Verifier) -> bool:
    """Whether the episode's last page is to stay open for this verifier."""
    kind = _kind(verifier)
    return kind.needs_last_page(kind.read(verifier.spec))


async def grade(verifier: Verifier, trajectory: Trajectory, services: Services, world: World) -> Grade:
    """The verdict on a finished trajectory."""
    kind = _kind(verifier)
    reward, reason = await kind.grade(kind.read(verifier.spec), trajectory, services, world)
    return Grade(verifier=verifier.kind, reward=reward, reason=well_formed(reason))


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
