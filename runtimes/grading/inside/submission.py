"""The side of the conversation with the agent's code: does what it is asked and says what came of it.

All of this is in reach of that code. It may make this say anything: any data, that is.
"""

from __future__ import annotations

import operator
import sys
import types
from contextlib import suppress
from typing import Any

from runtimes.grading.inside.line import Line, Message
from runtimes.grading.inside.wire import Wire

NAME = "submission"
_OPERATIONS: dict[str, Any] = {
    "call": lambda target, /, *args, **kwargs: target(*args, **kwargs),
    "getattr": getattr,
    "setattr": setattr,
    "delattr": delattr,
    "next": next,
    "iter": iter,
    "len": len,
    "bool": bool,
    "str": str,
    "hash": hash,
    "int": int,
    "float": float,
    "isinstance": lambda target, value: isinstance(value, target),
    "enter": lambda target: type(target).__enter__(target),
    "exit": lambda target: type(target).__exit__(target, None, None, None),
}


class Submission:
    """The submitted module and the line to the tests."""

    def __init__(self) -> None:
        self._wire = Wire(self._callback)
        self._module = types.ModuleType(NAME)
        self.line = Line(self._answer)
        self.line.start(self.line.serve)

    def _answer(self, question: Message) -> Message:
        try:
            if question["do"] == "load":
                return {"value": self._load(question["source"], question["names"])}
            target = self._wire.kept[question["on"]]
            args = [self._wire.unpack(argument) for argument in question["args"]]
            kwargs = {name: self._wire.unpack(argument) for name, argument in question["kwargs"].items()}
            what = question["do"]
            value = (_OPERATIONS.get(what) or getattr(operator, what))(target, *args, **kwargs)
            reply: Message = {"value": self._wire.pack(value)}
            if question.get("in_place"):
                reply["args"] = [self._wire.pack(argument) for argument in args]
            return reply
        except BaseException as error:
            return {"raised": self._raised(error)}

    def _load(self, source: str, names: list[str]) -> dict[str, Any]:
        """Run the submission; gives those of the names that it defines."""
        sys.modules[NAME] = self._module
        exec(compile(source, "submission.py", "exec"), self._module.__dict__)
        found = {}
        for name in names:
            value = self._module.__dict__.get(name, self._module)
            if not isinstance(value, types.ModuleType):
                with suppress(Exception):  # what cannot cross, the tests shall not find
                    found[name] = self._described(value)
        return found

    def _described(self, value: Any) -> Any:
        if isinstance(value, type) and issubclass(value, BaseException):
            return {"exception": [kind.__name__ for kind in value.__mro__], "packed": self._wire.pack(value)}
        return {"packed": self._wire.pack(value)}

    def _raised(self, error: BaseException) -> dict[str, Any]:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        try:
            return {"kinds": kinds, "said": str(error)[:2000], "args": self._wire.pack(error.args)}
        except BaseException:
            return {"kinds": kinds, "said": "", "args": ["tuple", []]}

    def _callback(self, number: int, form: str, name: str) -> Any:
        """What stands for a function of the tests."""

        class Callback:
            def __call__(_, *args: Any, **kwargs: Any) -> Any:
                question = {
                    "do": "call",
                    "on": number,
                    "args": [self._wire.pack(argument) for argument in args],
                    "kwargs": {key: self._wire.pack(argument) for key, argument in kwargs.items()},
                }
                reply = self.line.ask(question)
                if "raised" in reply:
                    raise RuntimeError(reply["raised"]["said"])
                return self._wire.unpack(reply["value"])

            def number_over_there(_) -> int:
                return number

        return Callback()
