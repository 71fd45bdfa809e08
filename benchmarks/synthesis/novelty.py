"""How fast novelty is judged: the index built from texts, and new descriptions held against it.

The texts are drawn from sentences with many places, so that all of them share phrases, as tasks do, and no
two are the same; a tenth of what is checked are near copies.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator

from adp_assets.mutation.novelty.index import NoveltyIndex
from adp_assets.mutation.novelty.shingles import hashes

TASKS = 100_000
CHECKS = 2_000

_SENTENCES = (
    "Write a Python function {n}(values) that {v} the {a} {o} of a list and returns {r} to {k} places.",
    "Open the shop, search for {a} {o}, put {k} of them into the cart and tell {r} in {c}.",
    "{c} sold {k} {a} {o} on Monday and {m} on Tuesday at {p} dollars each. What is {r} after {v}ing them?",
    "Implement {n}(text): {v} every {o} that is longer than {k} letters, keep the {a} ones, give back {r}.",
    "Log in as {c}, look at the orders marked {a}, {v} those above {p} dollars, report {r} with {k} digits.",
    "写一个 Python 函数 {n}(values),把列表里{a}的{o}{v}出来,保留 {k} 位小数,返回{r}。",
    "打开商店,搜索{a}{o},把 {k} 件放进购物车,再{v}价格低于 {p} 元的商品,最后报告{r}。",
    "{c}星期一卖出 {k} 件{a}{o},星期二卖出 {m} 件,每件 {p} 元。请{v}之后算出{r}。",
)
_AFTERWARDS = (
    " Ignore {o} from {c}.",
    " If there is none, answer {m}.",
    " The {a} ones count {k} times.",
    " Do not use {v}ing for more than {m} {o}.",
    "不计{c}的{o}。",
    "没有时回答 {m}。",
    "{a}的按 {k} 倍计算。",
    "超过 {m} 件{o}时不再{v}。",
)
_SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "qui", "ro", "su", "ta")
_CHARACTERS = "天地人山水火木金土日月星云雨风花草树鸟鱼马牛书画琴棋诗酒茶米油盐灯窗门路桥船车城村河海春夏秋冬"


def measure(tasks: int = TASKS, checks: int = CHECKS) -> dict[str, float]:
    """`index_tasks_per_second` from texts, and `novelty_ms` a check against all of them, on one core."""
    texts = list(_texts(tasks + checks, seed=1))
    rng = random.Random(2)
    asked = [_altered(rng.choice(texts[:tasks]), rng) if rng.random() < 0.1 else t for t in texts[tasks:]]
    index = NoveltyIndex()
    clock = time.perf_counter()
    index.extend([str(number) for number in range(tasks)], [hashes(text) for text in texts[:tasks]])
    built = time.perf_counter() - clock
    taken = []
    copies = 0
    for text in asked:
        clock = time.perf_counter()
        copies += index.nearest(hashes(text)).is_copy
        taken.append(time.perf_counter() - clock)
    taken.sort()
    return {
        "index_tasks_per_second": round(tasks / built, 1),
        "novelty_ms": round(1000 * sum(taken) / checks, 3),
        "novelty_p99_ms": round(1000 * taken[int(0.99 * checks)], 3),
        "novelty_copies": copies,
    }


def _texts(count: int, seed: int) -> Iterator[str]:
    rng = random.Random(seed)
    words = {
        True: ["".join(rng.choices(_SYLLABLES, k=rng.randint(1, 3))) for _ in range(3_000)],
        False: ["".join(rng.choices(_CHARACTERS, k=rng.randint(1, 3))) for _ in range(3_000)],
    }
    for _ in range(count):
        at = rng.randrange(len(_SENTENCES))
        is_english = at < 5
        own = words[is_english]
        rest = rng.sample(_AFTERWARDS[:4] if is_english else _AFTERWARDS[4:], k=rng.randint(0, 3))
        yield "".join(_filled(part, own, rng) for part in (_SENTENCES[at], *rest))


def _filled(sentence: str, words: list[str], rng: random.Random) -> str:
    numbers = {name: str(rng.randrange(1, 2_000)) for name in "kmp"}
    return sentence.format_map({name: rng.choice(words) for name in "nvaorc"} | numbers)


def _altered(text: str, rng: random.Random) -> str:
    """The text with one word, or one character, changed."""
    cut = rng.randrange(len(text))
    return text[:cut] + "7" + text[cut + 1 :]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure()) + "\n")
