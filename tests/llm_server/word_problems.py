"""Replies to word problems, right and wrong and broken in a planned mix, the same at every run."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.llm_server.replies import (
    Answer,
    assistant,
    complete_task,
    completion,
    error,
    estimated_tokens,
    tool_call,
)
from tests.llm_server.scripts import Script

KINDS = ("right", "wrong", "malformed", "e429", "e500")
FAULTS = ("not_json", "unknown_tool", "empty_message", "half_body")
DEFAULT_MIX = "right=60,wrong=20,malformed=10,e429=5,e500=5"
REFUSED_TRIES = 2
"""How often a request of kind `e429` is refused before it is answered."""


class WordProblems(Script):
    """Answers a request by the question that its user messages contain.

    `answers` is a file of JSON lines with `question` and `answer`, the latter ending in `#### N`; `mix` gives
    each kind's weight, such as `right=3,wrong=1`. Kind and fault follow from a hash of the question alone, so
    a reply is the same at every try, except for `e429`, which counts the tries of one and the same request.
    """

    def __init__(self, answers: Path, mix: str = DEFAULT_MIX) -> None:
        weights = parse_mix(mix)
        self._numbers = dict(read_answers(answers))
        self._kinds = {question: _drawn(f"kind:{question}", weights) for question in self._numbers}
        self._longest_first = sorted(self._numbers, key=len, reverse=True)
        self._tries: Counter[bytes] = Counter()

    def plan(self) -> dict[str, str]:
        return dict(self._kinds)

    def malformed(self) -> dict[str, str]:
        return {q: _fault(q) for q, kind in self._kinds.items() if kind == "malformed"}

    async def answer(self, body: bytes) -> Answer:
        question = self._asked(body)
        if question is None:
            return error(
                400, "invalid_request_error", "No user message contains a question of the answers file."
            )
        kind, number = self._kinds[question], self._numbers[question]
        if kind == "e500":
            return error(500, "server_error", "Planned failure.")
        if kind == "e429" and self._count(body) <= REFUSED_TRIES:
            return error(429, "rate_limit_exceeded", "Planned rate limit.", {"Retry-After": "0"})
        if kind == "malformed":
            return _malformed(_fault(question), number, estimated_tokens(body))
        message = complete_task(_other_number(number) if kind == "wrong" else number)
        return _ok(message, estimated_tokens(body))

    def _asked(self, body: bytes) -> str | None:
        text = "\n".join(_user_texts(body))
        return next((question for question in self._longest_first if question in text), None)

    def _count(self, body: bytes) -> int:
        key = hashlib.sha256(body).digest()
        self._tries[key] += 1
        return self._tries[key]


def parse_mix(mix: str) -> dict[str, int]:
    """Weights by kind. Raises ValueError for an unknown kind and for weights that add up to nothing."""
    weights = {
        kind.strip(): int(weight) for kind, _, weight in (part.partition("=") for part in mix.split(","))
    }
    if unknown := set(weights) - set(KINDS):
        raise ValueError(f"mix {mix!r}: no kind {', '.join(sorted(unknown))}; kinds are {', '.join(KINDS)}")
    if min(weights.values()) < 0 or sum(weights.values()) == 0:
        raise ValueError(f"mix {mix!r}: weights must not be negative and one must be above 0")
    return weights


def read_answers(path: Path) -> Iterator[tuple[str, str]]:
    """Each question of the file with its number, commas taken out."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            problem = json.loads(line)
            yield (
                problem["question"].strip(),
                problem["answer"].rpartition("####")[2].strip().replace(",", ""),
            )


def _user_texts(body: bytes) -> Iterator[str]:
    for message in msgspec.json.decode(body)["messages"]:
        if message["role"] != "user":
            continue
        content = message["content"]
        if isinstance(content, str):
            yield content
        else:
            yield from (part["text"] for part in content if part["type"] == "text")


def _drawn(key: str, weights: dict[str, int]) -> str:
    """A kind, each as likely as its weight says, by a hash that is the same in every process."""
    at = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % sum(weights.values())
    for kind, weight in weights.items():
        at -= weight
        if at < 0:
            return kind
    raise AssertionError("unreachable: the weights cover every remainder")


def _fault(question: str) -> str:
    return _drawn(f"fault:{question}", dict.fromkeys(FAULTS, 1))


def _other_number(number: str) -> str:
    return str(float(number) + 1) if "." in number else str(int(number) + 1)


def _ok(message: dict[str, Any], prompt_tokens: int) -> Answer:
    tokens = estimated_tokens(json.dumps(message, ensure_ascii=False))
    return Answer(200, completion(message, prompt_tokens=prompt_tokens, completion_tokens=tokens))


def _malformed(fault: str, number: str, prompt_tokens: int) -> Answer:
    match fault:
        case "not_json":
            message = assistant(None, [tool_call("complete_task", f'{{"answer": {number}')])
        case "unknown_tool":
            message = assistant(None, [tool_call("submit_final_answer", json.dumps({"answer": number}))])
        case "empty_message":
            message = assistant("")
        case _:
            body = _ok(complete_task(number), prompt_tokens).body
            return Answer(200, body[: len(body) // 2])
    return _ok(message, prompt_tokens)
