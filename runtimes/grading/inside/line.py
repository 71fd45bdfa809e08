"""One end of a conversation that the host carries on, message by message, between two sandboxes.

The interpreter of a sandbox answers the host step by step. So what talks here runs in a thread of its own,
which stands still while the host carries its message to the other side and brings the reply.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

OUT = "out.message"
"""The file in the workspace that holds the message to carry; its first character says what it is."""
QUESTION, REPORT = "?", "!"

Message = dict[str, Any]


class Line:
    """`answer` gives the reply to a question of the other side; asking may bring questions in between."""

    def __init__(self, answer: Callable[[Message], Message]) -> None:
        self._answer = answer
        self._inbox: SimpleQueue[Message] = SimpleQueue()
        self._outbox: SimpleQueue[tuple[str, Message]] = SimpleQueue()

    def start(self, work: Callable[[], object]) -> None:
        """Begin to work, in a thread; what it says first is fetched by `carry`."""
        threading.Thread(target=work, daemon=True).start()

    def ask(self, question: Message) -> Message:
        """The other side's reply."""
        self._outbox.put((QUESTION, question))
        while "do" in (reply := self._inbox.get()):
            self._outbox.put((QUESTION, self._answer(reply)))
        return reply

    def serve(self) -> None:
        """Answer for ever."""
        while True:
            self._outbox.put((QUESTION, self._answer(self._inbox.get())))

    def report(self, result: Message) -> None:
        """Say, as the last word, what came of it all."""
        self._outbox.put((REPORT, result))

    def carry(self, text: str = "") -> None:
        """Take in the other side's message, if there is one, and leave the next in the file `OUT`."""
        if text:
            message = json.loads(text)
            self._inbox.put(message if isinstance(message, dict) else {})
        kind, message = self._outbox.get()
        data = json.dumps(message)
        with open(OUT, "w") as file:
            file.write(kind + data)
