"""What work to come will take in tokens and money, before any of it is spent.

By the episodes and calls of the same kind and model that were paid before, where there are enough; else by
assumptions, which say so. What is to come is whoever asks's to say (`adp run --estimate`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean, pstdev

from msgspec import Struct

Tokens = tuple[float, float]
"""Of prompts and of replies."""

ENOUGH = 5
"""Fewer episodes or calls than these say too little of how much they differ."""

WIDE = 3.0
"""An assumption may be wrong by this factor either way."""

ASSUMED: dict[str, Tokens] = {
    "code": (4_000, 800),
    "web": (40_000, 1_500),
    "reasoning": (18_000, 1_500),
    "distillation": (1_200, 300),
    "mutation": (800, 200),
}
"""About what the bundled examples take, code somewhat more."""

ASSUMED_OTHERWISE: Tokens = (15_000, 1_500)


class Load(Struct, frozen=True, kw_only=True):
    """Work to come: episodes of a task type, or calls of a stage; how many at least, likely and at most."""

    round: str
    what: str
    unit: str = "episodes"
    least: int
    likely: int
    most: int


class Expected(Struct, frozen=True, kw_only=True):
    """One load's tokens and US dollars, likely and from `least` to `most`; dollars are None where unknown.

    `past` is how many episodes or calls before it rests on, 0 where it rests on assumptions.
    """

    load: Load
    tokens: int
    least_tokens: int
    most_tokens: int
    usd: float | None
    least_usd: float | None
    most_usd: float | None
    past: int


class Estimate(Struct, frozen=True, kw_only=True):
    """All loads, and their sums; the sum of dollars is unknown where one of them is."""

    loads: list[Expected]
    tokens: int
    least_tokens: int
    most_tokens: int
    usd: float | None
    least_usd: float | None
    most_usd: float | None


def estimate(
    loads: Sequence[Load],
    past: Callable[[Load], Sequence[Tokens]],
    cost: Callable[[float, float], float | None],
) -> Estimate:
    """What `loads` will take. `past` gives what the same took before, one by one; `cost` prices tokens."""
    found = [_expected(load, past(load), cost) for load in loads if load.most]
    return Estimate(
        loads=found,
        tokens=sum(each.tokens for each in found),
        least_tokens=sum(each.least_tokens for each in found),
        most_tokens=sum(each.most_tokens for each in found),
        usd=_sum([each.usd for each in found]),
        least_usd=_sum([each.least_usd for each in found]),
        most_usd=_sum([each.most_usd for each in found]),
    )


def _expected(load: Load, past: Sequence[Tokens], cost: Callable[[float, float], float | None]) -> Expected:
    known = len(past) >= ENOUGH
    mean = (fmean(p for p, _ in past), fmean(c for _, c in past)) if known else assumed(load.what)
    each = sum(mean)
    if known:
        least = max(load.least * each - _margin(load.least, past), load.least * min(map(sum, past)))
        most = load.most * each + _margin(load.most, past)
    else:
        least, most = load.least * each / WIDE, load.most * each * WIDE
    price = cost(*mean)
    a_token = None if price is None else price / each
    return Expected(
        load=load,
        tokens=round(load.likely * each),
        least_tokens=round(least),
        most_tokens=round(most),
        usd=_times(a_token, load.likely * each),
        least_usd=_times(a_token, least),
        most_usd=_times(a_token, most),
        past=len(past) if known else 0,
    )


def assumed(what: str) -> Tokens:
    """Tokens of one episode of a type, or of one call of a stage, where none was paid before."""
    return ASSUMED.get(what, ASSUMED_OTHERWISE)


def _margin(count: int, past: Sequence[Tokens]) -> float:
    """Half the 95 % prediction interval of the sum of `count` more like those before.

    Both the new ones differ and the mean of the old ones is uncertain: s * sqrt(n + n^2/m) times Student's t,
    which 2 + 4/m is within 7 % of from m = 5 on.
    """
    m = len(past)
    s = pstdev([p + c for p, c in past]) * math.sqrt(m / (m - 1))
    return (2 + 4 / m) * s * math.sqrt(count + count**2 / m)


def _times(price: float | None, tokens: float) -> float | None:
    return None if price is None else price * tokens


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
