"""A model that answers questions for JSON by the shape asked for."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from runtimes.contracts import Message
from runtimes.llm.base import Reply, Sampling

PATTERN = {"key_steps": ["run"], "execution_pattern": "try, then answer", "success_indicators": ["42"]}
GOOD: dict[str, dict[str, Any]] = {
    "EssenceDraft": {
        "domain": "math_algorithms",
        "query": "Add numbers.",
        "complexity_level": "medium",
        "success_pattern": PATTERN,
    },
    "MutatedIdea": {"description": "Multiply two numbers.", "change": "another operation"},
    "TaskDraft": {
        "expected_tools": ["python_executor"],
        "verifier": {"kind": "numeric", "spec": {"expected": 6}},
        "solution": "print(2 * 3)",
        "max_steps": 7,
    },
}


class Oracle:
    """`replies` turn facts into a reply's text, by shape; `asked` are the conversations by shape."""

    provider = "scripted"
    model = "oracle-1"

    def __init__(self, **replies: Callable[[dict[str, Any]], str]) -> None:
        self.replies = replies
        self.asked: list[tuple[str, list[Message]]] = []
        self.samplings: set[Sampling] = set()
        self.in_flight = 0
        self.most_in_flight = 0

    async def complete(
        self,
        messages: list[Message],
        *,
        tools: list[dict[str, Any]] | None = None,
        sampling: Sampling = Sampling(),
        schema: dict[str, Any] | None = None,
    ) -> Reply:
        assert schema is not None
        self.asked.append((schema["title"], list(messages)))
        self.samplings.add(sampling)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0)
        self.in_flight -= 1
        give = self.replies.get(schema["title"])
        facts: dict[str, Any] = json.loads(messages[1]["content"])
        text = give(facts) if give else json.dumps(GOOD[schema["title"]])
        return Reply(message={"role": "assistant", "content": text})

    async def aclose(self) -> None:
        return None

    def count(self) -> Counter[str]:
        return Counter(shape for shape, _ in self.asked)
