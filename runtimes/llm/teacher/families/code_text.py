"""The code family over text: a cipher in steps."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from runtimes.llm.teacher.families.code import CodeFamily, Example, function_name
from runtimes.llm.teacher.wording import Choice, Listing, Number, Phrase, Text


@dataclass(frozen=True)
class Cipher:
    """`steps` done to a text in order; the first shifts letters by that many places."""

    name: str
    shift: int
    steps: tuple[str, ...]


_STEPS: dict[str, tuple[Phrase, str, Callable[[str], str]]] = {
    "swap": (("swap upper and lower case", "大小写互换"), "text.swapcase()", str.swapcase),
    "reverse": (("reverse everything", "整体倒序"), "text[::-1]", lambda text: "".join(reversed(text))),
    "vowels": (
        ("delete the vowels", "删去元音字母"),
        "''.join(c for c in text if c not in 'aeiouAEIOU')",
        lambda text: text.translate(dict.fromkeys(map(ord, "aeiouAEIOU"))),
    ),
    "hyphens": (
        ("turn spaces into hyphens", "空格换成连字符"),
        "text.replace(' ', '-')",
        lambda text: "-".join(text.split(" ")),
    ),
    "digits": (
        ("write every digit twice", "每个数字写两遍"),
        "''.join(c * 2 if c in '0123456789' else c for c in text)",
        lambda text: text.translate({ord(d): d + d for d in "0123456789"}),
    ),
}  # fmt: skip


class CipherFamily(CodeFamily[Cipher]):
    name = "cipher"
    domain = "text_processing"
    params = Cipher
    top_level = 4
    approach = "Letters wrap round at z and keep their case, all else stays; then come the other steps."
    fields: ClassVar = {
        "name": Text(),
        "shift": Number(),
        "steps": Listing(
            Choice({step: words for step, (words, _, _) in _STEPS.items()}),
            comma=(", ", "、"),
            last=(", finally ", "、最后"),
            lead=("; then ", ";随后"),
        ),
    }

    def sample(self, rng: random.Random) -> Cipher:
        name = function_name(rng, "encode scramble veil lock mask", "text note line letter")
        return Cipher(name, rng.randint(2, 12), tuple(rng.sample(list(_STEPS), rng.randint(0, 3))))

    def level(self, params: Cipher) -> int:
        return 1 + len(params.steps)

    def at_level(self, params: Cipher, level: int, rng: random.Random) -> Cipher:
        more = rng.sample([s for s in _STEPS if s not in params.steps], len(_STEPS) - len(params.steps))
        return replace(params, steps=(*params.steps, *more)[: level - 1])

    def function(self, params: Cipher) -> str:
        return params.name

    def program(self, params: Cipher, variant: int) -> str:
        steps = [f"    text = {_STEPS[step][1]}" for step in params.steps]
        if variant % 2:
            head = [
                f"def {params.name}(text):",
                "    low, high = 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'",
                f"    k = {params.shift}",
                "    moved = low[k:] + low[:k] + high[k:] + high[:k]",
                "    text = text.translate(str.maketrans(low + high, moved))",
            ]
        else:
            head = [
                f"def {params.name}(text):",
                "    def move(c):",
                "        if not (c.isascii() and c.isalpha()):",
                "            return c",
                "        first = ord('a') if c.islower() else ord('A')",
                f"        return chr((ord(c) - first + {params.shift}) % 26 + first)",
                "    text = ''.join(move(c) for c in text)",
            ]
        return "\n".join([*head, *steps, "    return text"])

    def broken(self, params: Cipher) -> str:
        return self.program(params, 0).replace(f"first + {params.shift}", f"first - {params.shift}")

    def subtle(self, params: Cipher) -> str:
        return self.program(params, 0).replace(") % 26 + first", ") + first")

    def example(self, params: Cipher) -> Example:
        return self._case(params, "Bad Cafe 42")

    def cases(self, params: Cipher) -> list[Example]:
        return [
            self._case(params, text) for text in ("xyz XYZ", "The Lazy Fox, 2024!", "a", "", "Zebra 9 to 5 é")
        ]

    def _case(self, params: Cipher, text: str) -> Example:
        alphabet = "abcdefghijklmnopqrstuvwxyz"
        table = {a: alphabet[(at + params.shift) % 26] for at, a in enumerate(alphabet)}
        table |= {a.upper(): b.upper() for a, b in table.items()}
        value = "".join(table.get(c, c) for c in text)
        for step in params.steps:
            value = _STEPS[step][2](value)
        return f"{params.name}({text!r})", value
