"""Reasoning families that compute first: word problems told in events, and coupon codes made of numbers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple, TypeVar

from runtimes.contracts import Verifier
from runtimes.llm.teacher.browsing import SHOP, arrive, click, submit
from runtimes.llm.teacher.families.base import Call, GaveUp, Run, Slip, Solution, Start, finish
from runtimes.llm.teacher.families.simple import SimpleFamily
from runtimes.llm.teacher.families.web import world
from runtimes.llm.teacher.wording import Choice, Either, Listing, Number, Phrase, Phrased, Text

P = TypeVar("P")


class ReasoningFamily(SimpleFamily[P]):
    """A task that needs a program and often the shop as well."""

    task_type: ClassVar[str] = "reasoning"
    domain: ClassVar[str] = "quantitative_reasoning"
    tools: ClassVar[tuple[str, ...]] = ("browser", "python_executor", "complete_task")
    timeout: ClassVar[int] = 240


def compute(code: str, thought: str, slip: Slip) -> Generator[Call, str, str]:
    """Run a program and give the last line it prints; a recoverable slip misspells a name in it first."""
    first = code.replace("print(", "prnt(") if slip == Slip.RECOVERABLE else code
    run = Run.read((yield Call("python_executor", {"code": first}, thought)))
    if not (run.ok and run.last_line):
        again = f"The program failed ({run.complaint}); I correct it and run it again."
        run = Run.read((yield Call("python_executor", {"code": code}, again)))
    if not (run.ok and run.last_line):
        raise GaveUp(f"run the computation: {run.complaint}")
    return run.last_line


@dataclass(frozen=True)
class Story:
    """`start` things and what happens to them in order, each event a (kind, number) pair."""

    thing: str
    start: int
    events: tuple[tuple[str, int], ...]


class Event(NamedTuple):
    """What happens to an amount: in words, in Python upon `x`, exactly, and with which numbers."""

    words: Phrase
    python: str
    exactly: Callable[[Fraction, int], Fraction]
    numbers: Sequence[int]


_EVENTS = {
    "gain": Event(("{0} more arrive", "又来{0}"), "x += {0}", lambda x, k: x + k, range(15, 200, 7)),
    "lose": Event(("{0} are sold", "卖出{0}"), "x -= {0}", lambda x, k: x - k, range(11, 90, 6)),
    "grow": Event(
        ("stock grows by {0}%", "增加{0}%"),
        "x *= 1 + {0} / 100",
        lambda x, k: x * (100 + k) / 100,
        (5, 10, 15, 20, 25, 40),
    ),
    "spoil": Event(
        ("{0}% spoil", "损坏{0}%"),
        "x *= 1 - {0} / 100",
        lambda x, k: x * (100 - k) / 100,
        (5, 10, 20, 25, 30),
    ),
    "times": Event(("the amount becomes {0}-fold", "翻成{0}倍"), "x *= {0}", lambda x, k: x * k, (2, 3, 4)),
    "share": Event(
        ("one of {0} equal shares is kept", "平分{0}份只留一份"), "x /= {0}", lambda x, k: x / k, (2, 4, 5)
    ),
}


_THINGS: dict[str, dict[str, Phrase]] = {
    "math_word_problems": {
        "crates": ("crates of apples", "箱苹果"),
        "rolls": ("rolls of cloth", "匹布"),
        "sacks": ("sacks of rice", "袋大米"),
        "barrels": ("barrels of oil", "桶油"),
        "litres": ("litres of milk", "升牛奶"),
    },
    "libraries": {"novels": ("old novels", "册旧小说"), "maps": ("printed maps", "张地图")},
    "gardening": {"bulbs": ("tulip bulbs", "颗郁金香"), "cuttings": ("rose cuttings", "株玫瑰插条")},
    "computing": {"photos": ("gigabytes of photos", "GB 照片"), "tokens": ("access tokens", "个令牌")},
    "fishing": {"herring": ("kilos of herring", "公斤鲱鱼"), "mussels": ("baskets of mussels", "筐贻贝")},
    "crafts": {"beads": ("glass beads", "颗玻璃珠"), "yarn": ("balls of yarn", "团毛线")},
}
"""What a story is about, by subject; `sample` draws from the first."""


class StoryFamily(ReasoningFamily[Story]):
    name = "story"
    takes_any_number = True
    domain = "math_word_problems"
    tools = ("python_executor", "complete_task")
    params = Story
    top_level = 4
    fields: ClassVar = {
        "thing": Choice({thing: words for things in _THINGS.values() for thing, words in things.items()}),
        "start": Number(),
        "events": Listing(
            Either({kind: Phrased(event.words, Number()) for kind, event in _EVENTS.items()}),
            last=(", finally ", ",最后"),
            comma=(", then ", ",接着"),
        ),
    }

    def sample(self, rng: random.Random) -> Story:
        thing = rng.choice(["crates", "rolls", "sacks", "barrels", "litres"])
        return Story(thing, rng.randint(20, 99) * 10, self._events(rng, rng.randint(2, 5)))

    def _events(self, rng: random.Random, count: int) -> tuple[tuple[str, int], ...]:
        return tuple((kind, rng.choice(_EVENTS[kind].numbers)) for kind in rng.sample(list(_EVENTS), count))

    def level(self, params: Story) -> int:
        return len(params.events) - 1

    def at_level(self, params: Story, level: int, rng: random.Random) -> Story:
        more = [event for event in self._events(rng, len(_EVENTS)) if event[0] not in dict(params.events)]
        return replace(params, events=(*params.events, *more)[: level + 1])

    def domain_of(self, params: Story) -> str:
        return next(subject for subject, things in _THINGS.items() if params.thing in things)

    def shifted(self, params: Story, rng: random.Random) -> tuple[Story, str]:
        subject = rng.choice([name for name, things in _THINGS.items() if params.thing not in things])
        return replace(params, thing=rng.choice(list(_THINGS[subject]))), subject

    def verifier(self, params: Story) -> Verifier:
        amount = Fraction(params.start)
        for kind, number in params.events:
            amount = _EVENTS[kind].exactly(amount, number)
        return Verifier("numeric", {"expected": float(amount), "tolerance": 0.006})

    def solution(self, params: Story) -> str:
        return "\n".join([*self._lines(params.start, params.events), "print(x)"])

    def javascript(self, params: Story) -> str:
        # What happens to an amount reads the same in both languages.
        return f"let {'; '.join(self._lines(params.start, params.events))}; return x;"

    def _lines(self, start: int, events: Sequence[tuple[str, int]]) -> list[str]:
        return [f"x = {start}", *(_EVENTS[kind].python.format(number) for kind, number in events)]

    def solve(self, params: Story, start: Start) -> Solution:
        events = params.events if start.slip != Slip.FATAL else params.events[:-1]
        lines = self._lines(params.start, events)
        thought = f"{len(events)} things happen to {params.start} {params.thing}; a line of Python for each."
        value = yield from compute("\n".join([*lines, "print(f'{x:.2f}')"]), thought, start.slip)
        yield finish(value, f"After all that there are {value} {params.thing}.")


@dataclass(frozen=True)
class CouponCode:
    """A coupon code: `prefix` and the value of each part, a (kind, n) pair, joined by hyphens."""

    prefix: str
    parts: tuple[tuple[str, int], ...]


class Part(NamedTuple):
    """A number to be computed: in words and as a Python expression."""

    words: Phrase
    python: str


PARTS = {
    "primes": Part(
        ("the sum of the primes below {0}", "小于{0}的素数之和"),
        "sum(p for p in range(2, {0}) if all(p % d for d in range(2, p)))",
    ),
    "digits": Part(
        ("the digit sum of 2 to the power {0}", "2的{0}次方的各位数字之和"), "sum(map(int, str(2 ** {0})))"
    ),
    "divisors": Part(
        ("the number of divisors of {0}", "{0}的约数个数"), "sum({0} % d == 0 for d in range(1, {0} + 1))"
    ),
    "squares": Part(
        ("the sum of the first {0} squares", "前{0}个平方数之和"), "sum(k * k for k in range(1, {0} + 1))"
    ),
}


def part_value(kind: str, n: int) -> int:
    """A part's value by another way than the program goes."""
    if kind == "primes":
        composite = {m for d in range(2, math.isqrt(n) + 1) for m in range(d * d, n, d)}
        return sum(set(range(2, n)) - composite)
    if kind == "digits":
        value, total = 1 << n, 0
        while value:
            value, digit = divmod(value, 10)
            total += digit
        return total
    if kind == "divisors":
        return len({d for k in range(1, math.isqrt(n) + 1) if n % k == 0 for d in (k, n // k)})
    return n * (n + 1) * (2 * n + 1) // 6


class CouponFamily(ReasoningFamily[CouponCode]):
    name = "coupon"
    takes_any_number = True
    params = CouponCode
    fields: ClassVar = {
        "prefix": Text(characters=r"[A-Z]+"),
        "parts": Listing(
            Either({kind: Phrased(part.words, Number()) for kind, part in PARTS.items()}),
            last=(" and ", "和"),
        ),
    }

    def sample(self, rng: random.Random) -> CouponCode:
        prefix = rng.choice(["SAVE", "GIFT", "LUCKY", "SUMMER", "PANDA", "RIVER", "MOON", "TIGER"])
        return CouponCode(prefix, self._parts(rng, rng.randint(1, 3)))

    def _parts(self, rng: random.Random, count: int) -> tuple[tuple[str, int], ...]:
        return tuple((kind, rng.randint(12, 240)) for kind in rng.sample(list(PARTS), count))

    def level(self, params: CouponCode) -> int:
        return len(params.parts)

    def at_level(self, params: CouponCode, level: int, rng: random.Random) -> CouponCode:
        more = [part for part in self._parts(rng, len(PARTS)) if part[0] not in dict(params.parts)]
        return replace(params, parts=(*params.parts, *more)[:level])

    def constraints(self, params: CouponCode) -> dict[str, Any]:
        return {"start_url": SHOP}

    def verifier(self, params: CouponCode) -> Verifier:
        code = "-".join([params.prefix, *(str(part_value(kind, n)) for kind, n in params.parts)])
        body = "const last = world.coupons.at(-1); return last ? last.code.trim().toUpperCase() : null;"
        return world("state", body, expected=code)

    def solve(self, params: CouponCode, start: Start) -> Solution:
        parts = ", ".join(PARTS[kind].python.format(n) for kind, n in params.parts)
        code = f"parts = [{parts}]\nprint('-'.join(['{params.prefix}', *map(str, parts)]))"
        coupon = yield from compute(code, "First the numbers of the code, in Python.", start.slip)
        if start.slip == Slip.FATAL:
            coupon = coupon[:-1]
        page = yield from arrive(start)
        page = yield from click(
            page, "link", "Coupon", f"The code is {coupon}; it goes into the coupon form."
        )
        page = yield from submit(page, "Coupon code", coupon, "Type it in and apply it.")
        verdict = page.says("status") or page.says("alert")
        if coupon not in verdict:
            raise GaveUp(f"enter the coupon {coupon}: the page says {verdict!r}")
        yield finish(coupon, f"The shop has taken note of the code: {verdict}")
