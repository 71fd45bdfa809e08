"""How long a call waits before its next try, and what servers say about that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from runtimes.llm.retry import MAX_WAIT_SECONDS, RetryPolicy, Transient, retry_after
from tests.runtimes.llm.serving import QUICK


def test_waits_double_and_keep_within_their_bound() -> None:
    policy = RetryPolicy(tries=3, initial_seconds=2)
    for attempt, least in enumerate([2, 4, 8]):
        assert least <= policy.wait(attempt, None) <= least * 1.25
    assert 7.5 <= policy.wait(0, 7.5) <= 7.5 * 1.1
    assert policy.wait(0, 1e9) == policy.wait(3000, None) == MAX_WAIT_SECONDS


async def test_a_policy_gives_up_with_the_last_fault_and_lets_others_through_at_once() -> None:
    tried: list[int] = []

    async def fails() -> None:
        tried.append(len(tried))
        raise Transient(f"fault {tried[-1]}")

    with pytest.raises(Transient, match="fault 2"):
        await QUICK.run(fails)

    async def breaks() -> None:
        tried.clear()
        tried.append(0)
        raise KeyError("ours")

    with pytest.raises(KeyError):
        await QUICK.run(breaks)
    assert len(tried) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Mon, 32 Foo"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "1"}, 1.0),
    ],
)
def test_a_wait_that_is_asked_for_is_read_in_every_form(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize("zone", ["GMT", "-0000"])
def test_a_wait_may_be_a_date(zone: str) -> None:
    then = datetime.now(UTC) + timedelta(seconds=90)
    said = format_datetime(then, usegmt=True).replace("GMT", zone)
    wait = retry_after({"retry-after": said})
    assert wait is not None
    assert 80 < wait <= 90
