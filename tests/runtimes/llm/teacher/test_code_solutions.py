"""The code families against their own held-out cases, run by plain Python."""

from __future__ import annotations

import random
from typing import Any

import pytest

from runtimes.llm.teacher.families import FAMILIES
from runtimes.llm.teacher.families.base import Slip
from runtimes.llm.teacher.families.code import CodeFamily
from runtimes.llm.teacher.policy import slip_of

from .episodes import CODE_TOOLS, call_of, evaluate, opening, play, run_python

FAMILIES_OF_CODE = [family for family in FAMILIES if isinstance(family, CodeFamily)]
each_family = pytest.mark.parametrize("family", FAMILIES_OF_CODE, ids=lambda family: family.name)


def _submitted(family: CodeFamily[Any], params: Any, slip: Slip) -> tuple[str, int]:
    """The code an episode with that slip ends with, and how many programs it ran."""
    description = family.render(params, "en", 0)
    error_rate = 0.0 if slip == Slip.NONE else 1.0
    seed = next(seed for seed in range(99) if slip_of(description, seed, error_rate) == slip)
    messages = play(opening(description), CODE_TOOLS, run_python, seed=seed, error_rate=error_rate)
    return call_of(messages[-1])[1]["answer"], sum(message["role"] == "tool" for message in messages)


def _passes(family: CodeFamily[Any], params: Any, source: str) -> bool:
    verifier = family.verifier(params)
    assert verifier.kind == "python_tests"
    cases = verifier.spec["cases"]
    return evaluate(source, [case["call"] for case in cases]) == [case["expected"] for case in cases]


@each_family
def test_the_submitted_code_passes_the_held_out_cases(family: CodeFamily[Any]) -> None:
    rng = random.Random(4)
    for _ in range(2):
        params = family.sample(rng)
        source, runs = _submitted(family, params, Slip.NONE)
        assert runs == 1
        assert _passes(family, params, source)


@each_family
def test_a_bug_that_the_example_shows_is_noticed_and_mended(family: CodeFamily[Any]) -> None:
    params = family.sample(random.Random(5))
    source, runs = _submitted(family, params, Slip.RECOVERABLE)
    assert runs == 2
    assert _passes(family, params, source)


@each_family
def test_a_bug_that_the_example_hides_is_submitted_and_fails(family: CodeFamily[Any]) -> None:
    params = family.sample(random.Random(6))
    source, runs = _submitted(family, params, Slip.FATAL)
    assert runs == 1
    assert not _passes(family, params, source)


@each_family
def test_right_broken_and_subtle_programs_differ_as_promised_for_many_parameters(
    family: CodeFamily[Any],
) -> None:
    rng = random.Random(7)
    for _ in range(60):
        params = family.sample(rng)
        example, cases = family.example(params), family.cases(params)
        for variant in (0, 1):
            right = family.program(params, variant)
            assert all(_value(right, call) == expected for call, expected in [example, *cases]), params
        assert _value(family.broken(params), example[0]) != example[1], params
        assert _value(family.subtle(params), example[0]) == example[1], params
        assert any(_value(family.subtle(params), call) != expected for call, expected in cases), params


@pytest.mark.parametrize("name", ["grouping", "ranking"])
def test_programs_about_other_subjects_differ_as_promised_too(name: str) -> None:
    family = next(family for family in FAMILIES_OF_CODE if family.name == name)
    rng = random.Random(9)
    subjects = set()
    for _ in range(30):
        moved = family.shifted(family.sample(rng), rng)
        assert moved is not None
        params, subject = moved
        assert subject == family.domain_of(params) != family.domain
        subjects.add(subject)
        right, (example, value), cases = (
            family.program(params, 0),
            family.example(params),
            family.cases(params),
        )
        assert all(_value(right, call) == expected for call, expected in [(example, value), *cases]), params
        assert _value(family.broken(params), example) != value, params
        assert any(_value(family.subtle(params), call) != expected for call, expected in cases), params
    assert len(subjects) >= 4


def _value(source: str, call: str) -> Any:
    """Our own generated source, so it may run right here."""
    names: dict[str, Any] = {}
    exec(source, names)
    try:
        return eval(call, names)
    except Exception as error:
        return error
