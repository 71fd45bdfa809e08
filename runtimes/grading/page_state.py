"""Grades by a page's state: a script in a fresh page, with the episode's cookies, apart from the agent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from runtimes.contracts import Trajectory
from runtimes.errors import InvalidTask
from runtimes.grading.answers import same_number, same_text
from runtimes.grading.base import VerifierKind
from runtimes.grading.python_tests import same_json
from runtimes.services import Services


class PageStateSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """`script`, JavaScript, is evaluated on the page at `url`.

    Its value must equal `expected`; or, with `compare`, it is the right answer and the agent's is held
    against it.
    """

    url: str
    script: str
    expected: Any | UnsetType = UNSET
    compare: Literal["numeric", "exact"] | UnsetType = UNSET
    tolerance: Annotated[float, Meta(ge=0)] = 1e-6


class PageState(VerifierKind[PageStateSpec]):
    """The world itself says whether the task was done."""

    Spec = PageStateSpec

    def read(self, spec: dict[str, Any]) -> PageStateSpec:
        read = super().read(spec)
        if (read.expected is UNSET) == (read.compare is UNSET):
            raise InvalidTask("a page_state verifier has either `expected` or `compare`.")
        return read

    async def grade(
        self, spec: PageStateSpec, trajectory: Trajectory, services: Services, world: dict[str, Any]
    ) -> tuple[float, str]:
        value = await services.browsers.evaluate(
            spec.url,
            spec.script,
            storage_state=world.get("storage_state"),
            allowed_domains=world.get("allowed_domains"),
        )
        if spec.compare == "numeric":
            if not isinstance(value, int | float):
                return 0.0, "the page holds no number to compare with"
            return same_number(trajectory.final_result, float(value), spec.tolerance)
        if spec.compare == "exact":
            return same_text(trajectory.final_result, str(value))
        if same_json(value, spec.expected):
            return 1.0, "the page is in the expected state"
        return 0.0, "the page is not in the expected state"
