"""Verifiers made of verifiers: all must hold, one is enough, or each has its weight."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from runtimes.contracts import Trajectory, Verifier
from runtimes.errors import InvalidTask
from runtimes.grading.base import SPEC_PLACE, VerifierKind, VotingKind, read_verifier
from runtimes.services import Services
from runtimes.world import World


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    """One verifier; its `weight` counts in `weighted` only."""

    kind: str
    spec: dict[str, Any] = {}
    weight: Annotated[float, Meta(gt=0)] = 1.0

    def ready(self) -> tuple[VerifierKind[Any], Any]:
        return read_verifier(Verifier(self.kind, self.spec))


class PartsSpec(Struct, frozen=True, forbid_unknown_fields=True):
    parts: Annotated[list[Part], Meta(min_length=1)]


class WeightedSpec(PartsSpec, frozen=True, forbid_unknown_fields=True):
    """The reward is the weighted share of the parts; from `passing` on it is the full one."""

    passing: Annotated[float, Meta(gt=0, le=1)] = 1.0


class _Composite(VerifierKind[PartsSpec]):
    """What the three have in common."""

    Spec = PartsSpec

    def read(self, spec: dict[str, Any]) -> PartsSpec:
        read = super().read(spec)
        on_page, in_sandbox = "", ""
        for index, part in enumerate(read.parts):
            place = f"{SPEC_PLACE}.parts[{index}]"
            try:
                kind, own = part.ready()
            except InvalidTask as error:
                message = error.message.replace(SPEC_PLACE, f"{place}.spec")
                raise InvalidTask(message, error.remedy) from error
            if isinstance(kind, VotingKind):
                raise InvalidTask(f"{part.kind} needs other samples, and stands alone - at `{place}`.")
            on_page = part.kind if kind.needs_last_page(own) else on_page
            in_sandbox = part.kind if kind.needs_sandbox(own) else in_sandbox
        if on_page and in_sandbox:
            # Each would wait for the other's place while it holds its own, across episodes for ever.
            raise InvalidTask(
                f"a {on_page} part that looks at the last page cannot stand beside one of {in_sandbox}, "
                f"which needs a sandbox - at `{SPEC_PLACE}.parts`.",
                "Check a `url` in a fresh page instead.",
            )
        return read

    def needs_sandbox(self, spec: PartsSpec) -> bool:
        return any(kind.needs_sandbox(own) for kind, own in map(Part.ready, spec.parts))

    def needs_last_page(self, spec: PartsSpec) -> bool:
        return any(kind.needs_last_page(own) for kind, own in map(Part.ready, spec.parts))

    def needs_world(self, spec: PartsSpec) -> bool:
        return any(kind.needs_world(own) for kind, own in map(Part.ready, spec.parts))

    def judges(self, spec: PartsSpec) -> bool:
        return any(kind.judges(own) for kind, own in map(Part.ready, spec.parts))

    async def grade(
        self, spec: PartsSpec, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str]:
        reward, reason, _ = await self.verdict(spec, trajectory, services, world)
        return reward, reason


class AllOf(_Composite):
    """Every part gives the full reward; the first that does not decides. Put the judge last."""

    async def verdict(
        self, spec: PartsSpec, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str, bool]:
        all_judged = True
        for number, part in enumerate(spec.parts, start=1):
            kind, own = part.ready()
            reward, reason, judged = await kind.verdict(own, trajectory, services, world)
            if reward < 1:
                return reward, f"part {number} of {len(spec.parts)} ({part.kind}): {reason}", judged
            all_judged = all_judged and judged
        return 1.0, f"all {len(spec.parts)} parts hold", all_judged


class AnyOf(_Composite):
    """One part gives the full reward; the first that does decides, else the best. Put the judge last."""

    async def verdict(
        self, spec: PartsSpec, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str, bool]:
        best = (-1.0, "", False)
        for number, part in enumerate(spec.parts, start=1):
            kind, own = part.ready()
            reward, reason, judged = await kind.verdict(own, trajectory, services, world)
            if reward > best[0]:
                best = (reward, f"part {number} of {len(spec.parts)} ({part.kind}): {reason}", judged)
            if reward >= 1:
                break
        return best


class Weighted(_Composite):
    """Every part counts with its weight, whatever the others say."""

    Spec = WeightedSpec

    async def verdict(
        self, spec: PartsSpec, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str, bool]:
        """It is judged where the judges' parts alone could have made it pass."""
        whole, reached, judges_share, said = sum(part.weight for part in spec.parts), 0.0, 0.0, []
        for number, part in enumerate(spec.parts, start=1):
            kind, own = part.ready()
            reward, reason, judged = await kind.verdict(own, trajectory, services, world)
            reached += reward * part.weight / whole
            judges_share += judged * part.weight / whole
            said.append(f"part {number} ({part.kind}) {reward:g}: {reason}")
        # Sums of weights are off by a rounding, which should fail nobody.
        passing = _passing(spec) - 1e-9
        reward = 1.0 if reached >= passing else min(reached, 1.0)
        return reward, "; ".join(said), judges_share >= passing


def _passing(spec: PartsSpec) -> float:
    assert isinstance(spec, WeightedSpec)
    return spec.passing
