"""A verifier made of a solution that was run: the expected values are what came of it, never a model's word.

A solution is untrusted code: it runs in the sandbox under small limits, a page's script in a fresh page.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from adp_assets.mutation.refused import Refused
from adp_assets.mutation.tolerances import numbers_in, with_bounds
from runtimes.contracts import Verifier
from runtimes.errors import InvalidTask, VerifierFault
from runtimes.grading.answers import last_number, the_number
from runtimes.grading.base import check_verifier
from runtimes.grading.jails import ours_to_mend
from runtimes.grading.python_tests import source_of
from runtimes.grading.values import same_json, strict_json
from runtimes.services import Services
from runtimes.text import storable
from sandbox import Limits, Result

LIMITS = Limits(memory_mb=256, wall_seconds=10, cpu_seconds=5, output_bytes=1 << 18)
MOST_CALLS = 64
MOST_SHOWN = 200

_VALUES = "values.json"
_CALLING = """
import json, sys
source, calls = json.load(open("solution.json"))
module = sys.modules["submission"] = type(sys)("submission")
names = module.__dict__
exec(compile(source, "solution.py", "exec"), names)
values = [eval(call, names) for call in calls]
def plain(value):
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"a {type(value).__name__} is no value of JSON")
with open("values.json", "w") as file:
    json.dump(values, file, default=plain, allow_nan=False)
"""


@dataclass(frozen=True)
class WorkedOut:
    """A verifier with the values that the solution gave, and the answer that a right agent hands in.

    `reference` is empty where no answer is asked for, only a state of the world.
    """

    verifier: Verifier
    reference: str


async def work_out(
    claimed: Verifier, solution: str | list[str], services: Services, hosts: Sequence[str]
) -> WorkedOut:
    """The verifier that `claimed` describes, with values from running `solution`.

    Its tolerances are made smaller where they would let wrong numbers pass. Pages are read at `hosts` only.
    Raises Refused when the solution is missing or does not run, or when the claim contradicts what it gave.
    """
    if claimed.kind == "all_of":
        return await _all_of(claimed, solution, services, hosts)
    if not isinstance(solution, str):
        raise Refused(f"a {claimed.kind} verifier takes one solution, and {len(solution)} were given")
    if claimed.kind == "page_state":
        return await _of_page(claimed, services, hosts)
    if claimed.kind not in ("python_tests", "numeric", "exact", "json"):
        raise Refused(f"no solution can be run for a verifier of kind {claimed.kind!r}")
    if not solution.strip():
        raise Refused("there is no solution to run, and a model's word is no answer")
    if claimed.kind == "python_tests":
        return await _of_calls(claimed, source_of(solution), services)
    return await _of_answer(claimed, source_of(solution), services)


async def _of_calls(claimed: Verifier, source: str, services: Services) -> WorkedOut:
    claims = claimed.spec.get("cases")
    if not isinstance(claims, list) or not claims:
        raise Refused("python_tests need `cases`, a list of calls, when values are to come from a solution")
    if len(claims) > MOST_CALLS:
        raise Refused(f"{len(claims)} calls are more than {MOST_CALLS}")
    calls = [claim.get("call") if isinstance(claim, dict) else None for claim in claims]
    if not all(isinstance(call, str) for call in calls):
        raise Refused("every case of python_tests needs a `call`, as a string")
    with ours_to_mend():
        result = await services.sandboxes.run(
            code=_CALLING,
            files={"solution.json": json.dumps([source, calls]).encode()},
            outputs=[_VALUES],
            limits=LIMITS,
        )
    _check(result)
    written = next((file.data for file in result.files if file.path == _VALUES), None)
    try:
        values = strict_json((written or b"").decode())
    except ValueError as error:
        raise Refused(f"the solution left no values: {error}") from error
    if not isinstance(values, list) or len(values) != len(calls):
        raise Refused(f"the solution left no values for its {len(calls)} calls")
    for claim, value in zip(claims, values, strict=True):
        if "expected" in claim and not same_json(value, claim["expected"]):
            raise _contradiction(f"{claim['call']} is {_shown(claim['expected'])}", value)
    cases = [{"call": call, "expected": value} for call, value in zip(calls, values, strict=True)]
    return WorkedOut(_checked(claimed, {"cases": cases}), source)


async def _of_answer(claimed: Verifier, source: str, services: Services) -> WorkedOut:
    with ours_to_mend():
        result = await services.sandboxes.run(code=source, limits=LIMITS)
    _check(result)
    answer = _held(result.stdout.strip())
    if not answer:
        raise Refused("the solution printed no answer")
    value = _value_of(claimed, answer)
    claimed = Verifier(claimed.kind, with_bounds(claimed.spec, numbers_in(value)))
    claim = claimed.spec.get("expected", msgspec.UNSET)
    if claim is not msgspec.UNSET and not _agrees(claim, value, claimed):
        raise _contradiction(f"the answer is {_shown(claim)}", value)
    return WorkedOut(_checked(claimed, {"expected": value}), answer)


def _value_of(claimed: Verifier, answer: str) -> Any:
    if claimed.kind == "exact":
        return answer
    if claimed.kind == "numeric":
        if (number := the_number(answer)) is None:
            raise Refused(f"the solution printed {_shown(answer)}, which is no number")
        return number
    try:
        return strict_json(answer)
    except ValueError as error:
        raise Refused(f"the solution printed {_shown(answer)}, which is no JSON: {error}") from error


def _agrees(claim: Any, value: Any, claimed: Verifier) -> bool:
    tolerance = claimed.spec.get("tolerance", 0.0)
    return same_json(value, claim, tolerance if isinstance(tolerance, int | float) else 0.0)


async def _of_page(claimed: Verifier, services: Services, hosts: Sequence[str]) -> WorkedOut:
    from urllib.parse import urlsplit

    verifier = _checked(claimed, {})
    checks = claimed.spec.get("checks", [claimed.spec])
    for check in checks:
        host = urlsplit(str(check.get("url") or "")).hostname
        if host and host not in hosts:
            raise Refused(f"the verifier reads {host}, which no parent of the task may reach")
    answers = [check for check in checks if "compare" in check]
    if not answers:
        return WorkedOut(verifier, "")
    if len(answers) > 1:
        raise Refused("two checks compare the one answer that there is")
    if "url" not in answers[0] or "script" not in answers[0]:
        raise Refused("an answer that is compared needs the `url` and the `script` that work it out")
    value = _held(await _read_off(answers[0]["url"], answers[0]["script"], services, hosts))
    if value is None or isinstance(value, bool | list | dict):
        raise Refused(f"the page's script gives {_shown(value)}, which is no answer")
    number = last_number(str(value)) if answers[0]["compare"] == "numeric" else None
    if number is None:
        return WorkedOut(verifier, str(value))
    bounded = with_bounds(answers[0], [number])
    if "checks" in claimed.spec:
        bounded = {"checks": [bounded if check is answers[0] else check for check in checks]}
    return WorkedOut(_checked(claimed, bounded), str(value))


async def _read_off(url: str, script: str, services: Services, hosts: Sequence[str]) -> Any:
    from runtimes.grading.page_reading import Unreadable, by_script, open_page

    try:
        async with services.browsers.grading_page(allowed_domains=tuple(hosts)) as page:
            await open_page(page, url)
            return await by_script(page, script)
    except (VerifierFault, Unreadable) as error:
        raise Refused(f"the page's script could not be run: {error}") from error


async def _all_of(
    claimed: Verifier, solution: str | list[str], services: Services, hosts: Sequence[str]
) -> WorkedOut:
    parts = claimed.spec.get("parts")
    if not isinstance(parts, list) or not parts:
        raise Refused("all_of needs `parts`, a list of verifiers")
    solutions = solution if isinstance(solution, list) else [solution]
    if len(solutions) != len(parts):
        raise Refused(f"{len(solutions)} solutions were given for {len(parts)} parts")
    worked = []
    for part, own in zip(parts, solutions, strict=True):
        kind, spec = (part.get("kind"), part.get("spec", {})) if isinstance(part, dict) else ("", {})
        if kind == "all_of" or not isinstance(kind, str) or not isinstance(spec, dict):
            raise Refused("every part of all_of is a `kind` and a `spec`, and no all_of itself")
        worked.append(await work_out(Verifier(kind, spec), own, services, hosts))
    built = [{"kind": each.verifier.kind, "spec": each.verifier.spec} for each in worked]
    answers = dict.fromkeys(each.reference for each in worked if each.reference)
    return WorkedOut(_checked(claimed, {"parts": built}), "\n\n".join(answers))


def _checked(claimed: Verifier, values: dict[str, Any]) -> Verifier:
    verifier = Verifier(claimed.kind, {**claimed.spec, **_held(values)})
    try:
        check_verifier(verifier)
    except InvalidTask as error:
        raise Refused(str(error)) from error
    return verifier


def _held(value: Any) -> Any:
    """The value itself. Raises Refused for what no task could be kept with."""
    try:
        return storable(value)
    except ValueError as error:
        raise Refused(f"what the solution gives cannot be kept: {error}") from error


def _check(result: Result) -> None:
    if not result.ok:
        last = (result.stderr.strip() or result.stdout.strip()).rsplit("\n", 1)[-1][:MOST_SHOWN]
        raise Refused(f"the solution ended with {result.status}" + (f": {last}" if last else ""))


def _contradiction(claim: str, value: Any) -> Refused:
    return Refused(f"contradictory: the draft claims that {claim}, and its solution gives {_shown(value)}")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
