"""Conversations turn by turn: a message, and with a reply's calls the messages that answer them."""

from __future__ import annotations

from typing import Any, NamedTuple

from adp_assets.curation.formats.base import Unholdable
from runtimes.contracts import Message


class Turn(NamedTuple):
    """A message that is no answer to a call, and the answers to its calls, in the order they came."""

    message: Message
    answers: list[Message]


def turns(messages: list[Message]) -> list[Turn]:
    """The turns of a conversation whose every call is answered once, at once; the last message's need not be.

    Raises Unholdable where it is otherwise: services refuse such conversations.
    """
    found: list[Turn] = []
    for message in messages:
        if message["role"] != "tool":
            _check_answered(found[-1:])
            found.append(Turn(message, []))
            continue
        if not found or message.get("tool_call_id") not in _open(found[-1]):
            raise Unholdable("a tool's result answers no call of the reply before it")
        found[-1].answers.append(message)
    if found and found[-1].answers:
        _check_answered(found[-1:])
    return found


def calls(message: Message) -> list[dict[str, Any]]:
    return message.get("tool_calls") or []


def ends_with_reply(messages: list[Message]) -> None:
    """Raise Unholdable unless the last message is the model's."""
    if not messages or messages[-1]["role"] != "assistant":
        raise Unholdable("it does not end with a reply of the model")


def _open(turn: Turn) -> list[str]:
    answered = [answer["tool_call_id"] for answer in turn.answers]
    return [call["id"] for call in calls(turn.message) if call["id"] not in answered]


def _check_answered(last: list[Turn]) -> None:
    if last and _open(last[0]):
        raise Unholdable("a call is not answered")
