"""The conversation of an episode as its model is sent it: whole, until it would not fit the model's window.

Then old observations are cut, oldest first, and each cut is a `Trim` of the trajectory. What the agent does
belongs in `agent`, what a refusal looks like in `llm`.
"""

from __future__ import annotations

import json
from typing import Any

from runtimes.contracts import Message, Trim
from runtimes.errors import CONTEXT_LENGTH, ToolError
from runtimes.prompts import CURRENT_PAGE

UNKNOWN_WINDOW = 128_000
"""Tokens, of a model that no line of the table names; one that has less says so when it is asked."""

WINDOWS = {
    "builtin-teacher": 1 << 30,
    "deepseek": 128_000,
    "gemini": 1_048_576,
    "gpt-3.5": 16_385,
    "gpt-4": 8_192,
    "gpt-4-turbo": 128_000,
    "gpt-4.1": 1_047_576,
    "gpt-4o": 128_000,
    "gpt-5": 272_000,
    "o1": 200_000,
    "o3": 200_000,
    "o4": 200_000,
    "qwen2.5": 32_768,
    "qwen3": 32_768,
}
"""Tokens of prompt and reply together, by the beginning of a model's name, as the providers document them."""

REPLY_TOKENS = 4_096
"""Kept free for the reply, or a quarter of a small window."""

FIRST_TOKENS_A_BYTE = 0.3
"""Until the provider has counted a request: English has some four bytes a token, snapshots of pages three."""

SPARE = 0.75
"""A cut goes down to this part of what fits: each one costs the provider its cache of the conversation."""

HARD = 0.5
"""The same after a refusal, of what was refused: the estimate was wrong then."""

KEPT_CHARACTERS = 200
"""Of an old observation, half from its beginning, such as a page's address, and half from its end."""


def window_of(model: str) -> int:
    """The tokens that a model takes at once, by the longest beginning of its name in the table."""
    name = model.lower().rpartition("/")[2]
    known = [beginning for beginning in WINDOWS if name.startswith(beginning)]
    return WINDOWS[max(known, key=len)] if known else UNKNOWN_WINDOW


class Conversation:
    """`messages` are those of the next request; `trims` say what was cut of them and when.

    `window` is in tokens. How many a message has is estimated from its bytes, by what the provider counted
    for the request before.
    """

    def __init__(self, prompt: list[Message], tools: list[dict[str, Any]], window: int) -> None:
        self.messages = list(prompt)
        self.trims: list[Trim] = []
        self.window = window
        self._room = window - min(REPLY_TOKENS, window // 4)
        self._tokens_a_byte = FIRST_TOKENS_A_BYTE
        self._fixed_bytes = _bytes(tools)
        self._bytes = [_bytes(message) for message in self.messages]
        # Where each observation is, by its step, oldest first; which no request has held yet; and what was
        # cut, whole.
        self._places: dict[int | str, int] = {0: len(prompt) - 1}
        self._unseen: list[int | str] = [0]
        self._whole: dict[int | str, str] = {}

    @property
    def tokens(self) -> int:
        """Of the next request, estimated."""
        return round(self._tokens_a_byte * (self._fixed_bytes + sum(self._bytes)))

    def narrow(self, window: int) -> None:
        """Keep within a smaller window from now on: another model has taken the conversation over."""
        if window < self.window:
            self.window = window
            self._room = min(self._room, window - min(REPLY_TOKENS, window // 4))

    def reply(self, message: Message) -> None:
        """Add what the model said, as it goes back to it."""
        self._unseen = []
        self._append(message)

    def observe(self, step_id: int | str, message: Message) -> None:
        """Add what a step observed."""
        self._places[step_id] = len(self.messages)
        self._unseen.append(step_id)
        self._append(message)

    def counted(self, prompt_tokens: int) -> None:
        """Learn from the provider's count of the request just answered; 0 where it gave none."""
        total = self._fixed_bytes + sum(self._bytes)
        if prompt_tokens > 0 and total:
            self._tokens_a_byte = min(max(prompt_tokens / total, 0.05), 2.0)

    def fit(self, turn: int) -> None:
        """Cut what has to be cut for the request of `turn`. Raises ToolError where that is not enough."""
        if self.tokens <= self._room:
            return
        self._cut_old(turn, round(self._room * SPARE))
        if self.tokens > self._room:
            self._cut_new(turn, self._room)
        if self.tokens > self._room:
            raise ToolError(
                "runtime_error",
                f"The conversation does not fit the model's window of {self.window} tokens: it has about "
                f"{self.tokens}, with its observations cut.",
                error_class=CONTEXT_LENGTH,
            )

    def shrink(self, turn: int) -> bool:
        """Cut harder, since the model refused the request of `turn`; whether there was anything to cut."""
        before = self.tokens
        # It takes less than was believed, and will for the rest of the episode.
        self._room = min(self._room, round(before * SPARE))
        self._cut_old(turn, round(before * HARD))
        if self.tokens > before * HARD:
            self._cut_new(turn, round(before * HARD))
        return self.tokens < before

    def _cut_old(self, turn: int, goal: int) -> None:
        """Cut observations that the model has seen, oldest first, until `goal` tokens are reached."""
        for step_id, place in self._places.items():
            if self.tokens <= goal:
                return
            if step_id not in self._unseen:
                self._cut(turn, step_id, place, KEPT_CHARACTERS)

    def _cut_new(self, turn: int, goal: int) -> None:
        """Cut what the model has not seen yet to equal shares of what `goal` leaves for it."""
        places = {step_id: self._places[step_id] for step_id in self._unseen}
        rest = self._fixed_bytes + sum(self._bytes) - sum(self._bytes[place] for place in places.values())
        share = (goal / self._tokens_a_byte - rest) / max(1, len(places))
        for step_id, place in places.items():
            characters = share * len(self.messages[place]["content"]) / self._bytes[place]
            self._cut(turn, step_id, place, max(KEPT_CHARACTERS, int(characters) - KEPT_CHARACTERS))

    def _cut(self, turn: int, step_id: int | str, place: int, keep: int) -> None:
        message = self.messages[place]
        whole = self._whole.setdefault(step_id, message["content"])
        content = shortened_page(whole, keep) if step_id == 0 else shortened(whole, keep)
        if len(content) >= len(message["content"]):
            return
        self.messages[place] = {**message, "content": content}
        self._bytes[place] = _bytes(self.messages[place])
        self.trims.append(Trim(turn=turn, step_id=step_id, content=content))

    def _append(self, message: Message) -> None:
        self.messages.append(message)
        self._bytes.append(_bytes(message))


def shortened(text: str, keep: int) -> str:
    """About `keep` characters of the text from both its ends, and how many were cut between them."""
    half = keep // 2
    cut = len(text) - 2 * half
    if cut <= 0:
        return text
    mark = f"\n[... {cut} characters cut to keep within the model's window ...]\n"
    return f"{text[:half]}{mark}{text[-half:]}"


def shortened_page(text: str, keep: int) -> str:
    """The same of the first page in an episode's first message, whose task stays whole."""
    task, mark, page = text.partition(CURRENT_PAGE)
    return f"{task}{mark}{shortened(page, keep)}"


def _bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
