"""Code families over numbers: multiples below a bound, and windows of a list."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from itertools import count
from typing import ClassVar

from runtimes.llm.teacher.families.code import CodeFamily, Example, function_name
from runtimes.llm.teacher.wording import Choice, Listing, Number, Text


@dataclass(frozen=True)
class Multiples:
    """`quantity` of the positive integers up to n (n itself by `bound`) that one of `divisors` divides."""

    name: str
    quantity: str
    bound: str
    divisors: tuple[int, ...]


_EACH = {"sum": "{k}", "count": "1", "squares": "{k} * {k}"}


class MultiplesFamily(CodeFamily[Multiples]):
    name = "multiples"
    domain = "math_algorithms"
    params = Multiples
    top_level = 4
    approach = "A number counts once however many divisors it has, so I ask for any of them."
    fields: ClassVar = {
        "name": Text(),
        "quantity": Choice(
            {
                "sum": ("the sum", "总和"),
                "count": ("the count", "个数"),
                "squares": ("the sum of squares", "平方和"),
            }
        ),
        "bound": Choice({"below": ("less than", "小于"), "up_to": ("not greater than", "不大于")}),
        "divisors": Listing(Number(), last=(" or ", "或")),
    }

    def sample(self, rng: random.Random) -> Multiples:
        name = function_name(rng, "tally gather reckon total measure", "multiples divisible hits steps")
        divisors = tuple(sorted(rng.sample(range(2, 20), rng.randint(1, 4))))
        return Multiples(name, rng.choice(list(_EACH)), rng.choice(["below", "up_to"]), divisors)

    def level(self, params: Multiples) -> int:
        return len(params.divisors)

    def at_level(self, params: Multiples, level: int, rng: random.Random) -> Multiples:
        more = rng.sample([d for d in range(2, 20) if d not in params.divisors], self.top_level)
        kept = rng.sample(params.divisors, min(level, len(params.divisors)))
        return replace(params, divisors=tuple(sorted((kept + more)[:level])))

    def function(self, params: Multiples) -> str:
        return params.name

    def program(self, params: Multiples, variant: int) -> str:
        end = "n" if params.bound == "below" else "n + 1"
        if variant % 2:
            return (
                f"def {params.name}(n):\n    total = 0\n    for k in range(1, {end}):\n"
                f"        if any(k % d == 0 for d in {list(params.divisors)}):\n"
                f"            total += {_EACH[params.quantity].format(k='k')}\n    return total"
            )
        each = _EACH[params.quantity].format(k="k")
        return (
            f"def {params.name}(n):\n    divisors = {list(params.divisors)}\n"
            f"    return sum({each} for k in range(1, {end}) if any(k % d == 0 for d in divisors))"
        )

    def broken(self, params: Multiples) -> str:
        return self.program(params, 0).replace("for d in divisors)", "for d in divisor)")

    def subtle(self, params: Multiples) -> str:
        right, wrong = ("n + 1", "n") if params.bound == "up_to" else ("range(1, n)", "range(1, n + 1)")
        return self.program(params, 0).replace(right, wrong)

    def example(self, params: Multiples) -> Example:
        # A bound that is no multiple itself: the example one would pick without thinking of the end.
        n = next(n for n in count(min(params.divisors) * 2 + 1) if all(n % d for d in params.divisors))
        return self._case(params, n)

    def cases(self, params: Multiples) -> list[Example]:
        common = math.lcm(*params.divisors[:2])
        return [self._case(params, n) for n in (1, params.divisors[0], common, common * 3 + 1, 1000)]

    def _case(self, params: Multiples, n: int) -> Example:
        last = n - 1 if params.bound == "below" else n
        hits = set().union(*(range(d, last + 1, d) for d in params.divisors))
        value = {"sum": sum(hits), "count": len(hits), "squares": sum(k**2 for k in hits)}[params.quantity]
        return f"{params.name}({n})", value


@dataclass(frozen=True)
class Windows:
    """The `pick` `measure` over every run of `size` neighbours, of a list without the `dropped` numbers."""

    name: str
    size: int
    pick: str
    measure: str
    dropped: tuple[str, ...]


_MEASURES = {"sum": "sum({w})", "spread": "max({w}) - min({w})", "ends": "{w}[0] + {w}[-1]"}
_WIDENING, _NARROWING = [0, 2, 6, 12, 20, 30, 42], [0, 16, 28, 36, 42, 46, 48]
"""Even numbers from 0 to 50, so that nothing is dropped; gaps grow in the one and shrink in the other."""
_KEPT = {"negative": "x >= 0", "odd": "x % 2 == 0", "above_fifty": "x <= 50"}


class WindowsFamily(CodeFamily[Windows]):
    name = "windows"
    domain = "math_algorithms"
    params = Windows
    approach = "I drop what does not count, then look at each slice of the right length."
    fields: ClassVar = {
        "name": Text(),
        "size": Number(),
        "pick": Choice({"max": ("largest", "最大"), "min": ("smallest", "最小")}),
        "measure": Choice(
            {
                "sum": ("sum", "之和"),
                "spread": ("difference between maximum and minimum", "的极差"),
                "ends": ("sum of first and last element", "首尾两数之和"),
            }
        ),
        "dropped": Listing(
            Choice(
                {
                    "negative": ("negative numbers", "负数"),
                    "odd": ("odd numbers", "奇数"),
                    "above_fifty": ("numbers above 50", "大于50的数"),
                }
            ),
            lead=(", after removing ", ",先去掉"),
        ),
    }

    def sample(self, rng: random.Random) -> Windows:
        name = function_name(rng, "best peak scan slide find", "window run stretch slice")
        dropped = tuple(rng.sample(list(_KEPT), rng.randint(0, 2)))
        return Windows(
            name, rng.randint(2, 5), rng.choice(["max", "min"]), rng.choice(list(_MEASURES)), dropped
        )

    def level(self, params: Windows) -> int:
        return 1 + len(params.dropped)

    def at_level(self, params: Windows, level: int, rng: random.Random) -> Windows:
        more = rng.sample([d for d in _KEPT if d not in params.dropped], len(_KEPT) - len(params.dropped))
        return replace(params, dropped=(*params.dropped, *more)[: level - 1])

    def function(self, params: Windows) -> str:
        return params.name

    def program(self, params: Windows, variant: int) -> str:
        drop = [f"    numbers = [x for x in numbers if {_KEPT[d]}]" for d in params.dropped]
        if variant % 2:
            body = [
                "    found = None",
                f"    for i in range(len(numbers) - {params.size} + 1):",
                f"        window = numbers[i:i + {params.size}]",
                f"        value = {_MEASURES[params.measure].format(w='window')}",
                f"        if found is None or value {'>' if params.pick == 'max' else '<'} found:",
                "            found = value",
                "    return found",
            ]
        else:
            body = [
                f"    starts = range(len(numbers) - {params.size} + 1)",
                f"    windows = [numbers[i:i + {params.size}] for i in starts]",
                f"    values = [{_MEASURES[params.measure].format(w='w')} for w in windows]",
                f"    return {params.pick}(values, default=None)",
            ]
        return "\n".join([f"def {params.name}(numbers):", *drop, *body])

    def broken(self, params: Windows) -> str:
        return self.program(params, 0).replace("for w in windows]", "for w in window]")

    def subtle(self, params: Windows) -> str:
        return self.program(params, 0).replace(f"- {params.size} + 1)", f"- {params.size})")

    def example(self, params: Windows) -> Example:
        # The winning window stands first, so a program that forgets the last one passes.
        return self._case(params, _WIDENING[::-1] if params.pick == "max" else _WIDENING)

    def cases(self, params: Windows) -> list[Example]:
        mixed = [12, -3, 5, 18, 44, 51, 7, 2, -20, 36, 8, 27, 64, 4, 6]
        lists: tuple[list[int], ...] = (
            _WIDENING,
            _WIDENING[::-1],
            _NARROWING,
            mixed,
            [-7, 60, -2, 33, 8],
            [4],
            [],
        )
        return [self._case(params, numbers) for numbers in lists]

    def _case(self, params: Windows, numbers: list[int]) -> Example:
        dropped = {
            "negative": lambda x: x < 0,
            "odd": lambda x: x % 2 == 1,
            "above_fifty": lambda x: x > 50,
        }
        kept = [x for x in numbers if not any(dropped[d](x) for d in params.dropped)]
        runs = list(zip(*(kept[at:] for at in range(params.size)), strict=False))
        values = {
            "sum": [sum(run) for run in runs],
            "spread": [sorted(run)[-1] - sorted(run)[0] for run in runs],
            "ends": [run[0] + run[-1] for run in runs],
        }[params.measure]
        value = (max if params.pick == "max" else min)(values, default=None)
        return f"{params.name}({numbers})", value
