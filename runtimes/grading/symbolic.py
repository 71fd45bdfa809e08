"""Grades a mathematical answer by what it means: 1/2, 0.5 and \\frac{2}{4} are one."""

from __future__ import annotations

import json
from typing import Annotated, Any

from msgspec import Meta, Struct

from runtimes.contracts import Trajectory
from runtimes.errors import VerifierFault
from runtimes.grading.base import VerifierKind
from runtimes.grading.jails import MOST_RESULT_BYTES, inside, jailed, packages
from runtimes.services import Services
from runtimes.world import World
from sandbox import Limits, Result

ANSWER, EXPECTED, EXPECTED_TREE = "answer.txt", "expected.txt", "expected.json"
TREE, VERDICT = "tree.json", "verdict.json"
MOST_CHARACTERS = 10_000
LIMITS = Limits(wall_seconds=10, cpu_seconds=10, memory_mb=512)
"""Of each of the three runs: what takes longer to read or compare counts as not equal."""

_IMPORT = "from runtimes.grading.inside import expression\n"


class SymbolicSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """`expected` as LaTeX where it has a backslash, else as Python and sympy write it."""

    expected: Annotated[str, Meta(min_length=1, max_length=MOST_CHARACTERS)]


class Symbolic(VerifierKind[SymbolicSpec]):
    """The answer equals the expected one as mathematics: numbers, terms, lists, sets, matrices, relations."""

    Spec = SymbolicSpec

    def needs_sandbox(self, spec: SymbolicSpec) -> bool:
        return True

    async def grade(
        self, spec: SymbolicSpec, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str]:
        answer = "" if trajectory.final_result is None else str(trajectory.final_result)
        if not answer.strip():
            return 0.0, "there is no answer"
        if len(answer) > MOST_CHARACTERS:
            return 0.0, f"the answer is longer than {MOST_CHARACTERS:,} characters"
        # Apart from what is expected: reading a text as mathematics may execute it.
        tree, why = await _answered(answer, services)
        if tree is None:
            return 0.0, f"the answer is no mathematics that could be read: {why}"[:300]
        expected = await _expected(spec, services)
        if expected["tree"][0] in ("number", "float") and tree.get("worked_out") is not True:
            return 0.0, "the answer is not worked out: the expected one is a plain number"
        compared = await _run(
            services,
            f"expression.compare({TREE!r}, {EXPECTED_TREE!r})",
            {TREE: json.dumps(tree).encode(), EXPECTED_TREE: json.dumps(expected).encode()},
        )
        verdict = _file(compared, VERDICT)
        if not isinstance(verdict, dict):
            return 0.0, f"the answer could not be compared: that ended with {compared.status}"
        if verdict.get("equal") is True:
            return 1.0, "the answer equals the expected one"
        return 0.0, "the answer does not equal the expected one"


async def _answered(answer: str, services: Services) -> tuple[Any, str]:
    """The tree of an answer, or None and why there is none."""
    files = {ANSWER: answer.encode(errors="replace")}
    run = await _run(services, f"expression.read_answer({ANSWER!r})", files)
    tree = _file(run, TREE)
    if not isinstance(tree, dict):
        return None, f"reading it ended with {run.status}"
    return (tree, "") if "tree" in tree else (None, str(tree.get("unreadable")))


async def _expected(spec: SymbolicSpec, services: Services) -> Any:
    """The tree of what is expected. Raises VerifierFault where it cannot be read."""
    run = await _run(services, f"expression.read_expected({EXPECTED!r})", {EXPECTED: spec.expected.encode()})
    tree = _file(run, TREE)
    if tree is None:
        said = run.stderr.strip().splitlines()
        raise VerifierFault(
            f"`expected` of a symbolic verifier, {spec.expected[:80]!r}, cannot be read: "
            f"{said[-1][:200] if said else run.status}."
        )
    return tree


async def _run(services: Services, code: str, files: dict[str, bytes]) -> Result:
    """Run a function of `expression` on these files, in a sandbox of its own."""
    profile = packages("symbolic", "sympy", "math_verify")
    async with jailed(services):
        return await services.sandboxes.run(
            code=_IMPORT + code,
            files={**inside("expression"), **files},
            outputs=[TREE, VERDICT],
            limits=LIMITS,
            profile=profile,
        )


def _file(run: Result, name: str) -> Any:
    """The JSON that a run which ended well left under this name, else None."""
    data = next((file.data for file in run.files if file.path == name), None)
    if run.status != "ok" or data is None or len(data) > MOST_RESULT_BYTES:
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
