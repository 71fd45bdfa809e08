"""Tasks to mend code: a task of a code family, with a program for it that has a bug."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, ClassVar

from runtimes.llm.teacher.families.base import Call, Slip, Solution, Start, finish
from runtimes.llm.teacher.families.code import CodeFamily
from runtimes.llm.teacher.families.parts import AroundFamily, Part, answer_of
from runtimes.llm.teacher.wording import Language


@dataclass(frozen=True)
class Mend:
    """A code task and the program that does it wrong."""

    part: Part
    code: str


class MendFamily(AroundFamily[Mend]):
    """Any code task it is given may be mended; bugs of its own it has for the simple ones only."""

    name = "mend"
    task_type = "code"
    domain = "debugging"
    tools: ClassVar = ("python_executor",)
    params = Mend

    @property
    def frames(self) -> dict[Language, tuple[str, ...]]:
        return {
            "en": (
                "The code below has a bug. Mend it and submit the whole corrected code. It was written for "
                "this task: {task}\n\n```python\n{code}\n```",
                "A colleague left this program, and its tests fail:\n\n```python\n{code}\n```\n\nFind the "
                "mistake and hand in the repaired program. What it should do: {task}",
            ),
            "zh": (
                "下面的代码有一处错误,请改正并提交完整的代码。它本应完成这个任务:{task}\n\n```python\n{code}\n```",
                "同事留下的程序通不过测试:\n\n```python\n{code}\n```\n\n请找出错误,交出修好的程序。要求如下:{task}",
            ),
        }

    def read(self, texts: dict[str, str], language: Language) -> Mend | None:
        part = self.part(texts["task"], language)
        return Mend(part, texts["code"]) if part else None

    def write(self, params: Mend, language: Language, wording: int) -> dict[str, str]:
        task = params.part.family.render(params.part.params, language, wording)
        return {"task": task, "code": params.code}

    def sample(self, rng: random.Random) -> Mend:
        family = rng.choice([family for family in self.families if isinstance(family, CodeFamily)])
        return _broken(family, family.sample(rng), rng)

    def level(self, params: Mend) -> int:
        return params.part.level

    def around(self, part: Part, like: Mend, rng: random.Random) -> Mend | None:
        return _broken(part.family, part.params, rng) if isinstance(part.family, CodeFamily) else None

    def solve(self, params: Mend, start: Start) -> Solution:
        trial = Call("python_executor", {"code": params.code}, "First I run the program as it is.")
        seen = yield trial
        source = yield from answer_of(params.part.family.solve(params.part.params, start))
        said = (
            "It runs, but does the wrong thing" if seen.startswith("status: ok") else "It does not even run"
        )
        tried = "; the mended one gives what it should." if start.slip != Slip.FATAL else "; mended now."
        yield finish(source, f"{said}{tried}")


def _broken(family: CodeFamily[Any], params: Any, rng: random.Random) -> Mend:
    return Mend(Part(family, params), rng.choice([family.broken, family.subtle])(params))
