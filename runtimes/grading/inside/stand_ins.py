"""What stands for the submission's things on the side of the tests.

Of what the agent's code returns, only data is compared, with the operators of this side. Functions of its own
are called and iterators stepped through over there; objects, where the tests use its classes, are asked. What
such a thing answers is the submission's word, so it is never asked whether it equals a value of the tests.
Only one that the tests made themselves, by calling a class, is asked to reckon with such a value: what a
method gives may stand where data is due, and would be near, or hold, whatever is expected.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from runtimes.grading.inside.line import Line, Message
from runtimes.grading.inside.wire import NotData, Wire

_ASKED = ("neg", "pos", "abs", "invert")
_RECKONING = (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"),
    *("and_", "or_", "xor", "lshift", "rshift"),
)
_ORDERINGS = ("lt", "le", "gt", "ge")
_TEXT_ONLY = frozenset(dir(str)) - frozenset(dir(list)) - frozenset(dir(dict))
_PLAIN = {"len": int, "hash": int, "str": str, "int": int, "float": float}


class Tests:
    """The line to the submission, and what stands here for its functions, classes and objects.

    Objects of the submission's own are let in only from the names in `classes`: everything else must give
    data. With `in_place`, arguments that a function changed are changed here too.
    """

    def __init__(self, classes: list[str], in_place: bool) -> None:
        self._classes = frozenset(classes)
        self._in_place = in_place
        self._exceptions: dict[tuple[str, ...], type[BaseException]] = {}
        self._from_class = False
        self._made = False
        self.wire = Wire(self._stand_in)
        self.line = Line(self._answer)

    def load(self, source: str, names: list[str]) -> dict[str, Any]:
        """Run the submission over there; the names of these that it defines. Raises what it raised."""
        reply = self.line.ask({"do": "load", "source": source, "names": names})
        described = self._result(reply, unpacked=False)
        found = {}
        for name in set(names) & described.keys():
            with suppress(NotData):
                found[name] = self._named(name, described[name])
        return found

    def ask(self, target: Remote, what: str, *args: Any, **kwargs: Any) -> Any:
        """What the submission's thing gives. Raises what it raised, NotData for what cannot cross."""
        question = {
            "do": what,
            "on": target._number,
            "args": [self.wire.pack(argument) for argument in args],
            "kwargs": {name: self.wire.pack(argument) for name, argument in kwargs.items()},
            "in_place": self._in_place,
        }
        reply = self.line.ask(question)
        # Calls of ours in between may have had things of other origins.
        self._from_class = target._gives_objects
        self._made = (what == "call" and target._is_class) or (what in _RECKONING and target._is_made)
        if self._in_place and "args" in reply:
            for argument, changed in zip(args, reply["args"], strict=True):
                _change(argument, self.wire.unpack(changed))
        return self._result(reply)

    def _result(self, reply: Message, *, unpacked: bool = True) -> Any:
        if "raised" in reply:
            raise self._exception(reply["raised"])
        value = reply["value"]
        return self.wire.unpack(value) if unpacked else value

    def _named(self, name: str, described: Any) -> Any:
        self._from_class = name in self._classes
        if "exception" in described:
            return self._exception_class(described["exception"])
        named = self.wire.unpack(described["packed"])
        if isinstance(named, Object):
            vars(named)["_is_class"] = True
        return named

    def _stand_in(self, number: int, form: str, name: str) -> Any:
        kind = {"function": Function, "stream": Stream}.get(form)
        if self._from_class and kind is not Stream:
            kind = Object
        if kind is None:
            raise NotData(f"the submission gave an object of its own ({name}) where the tests want data")
        return kind(self, number, name, self._from_class, self._made)

    def _exception_class(self, kinds: list[str]) -> type[BaseException]:
        """A class of this side: derived from the first of Python's own among `kinds`."""
        names = tuple(map(str, kinds))
        name = names[0][:80]
        if names not in self._exceptions:
            known = map(vars(builtins).get, names)
            allowed = (k for k in known if isinstance(k, type) and issubclass(k, (Exception, SystemExit)))
            base = next(allowed, Exception)
            self._exceptions[names] = (
                base if base.__name__ == name else type(name, (base,), {"__str__": _said})
            )
        return self._exceptions[names]

    def _exception(self, raised: dict[str, Any]) -> BaseException:
        kind = self._exception_class(raised["kinds"])
        args = self.wire.unpack(raised["args"])
        try:
            return kind(*args)
        except TypeError:
            return kind.__new__(kind)

    def _answer(self, question: Message) -> Message:
        """Call a function of the tests that they handed over."""
        try:
            function = self.wire.kept[question["on"]]
            args = [self.wire.unpack(argument) for argument in question["args"]]
            kwargs = {str(name): self.wire.unpack(value) for name, value in question["kwargs"].items()}
            return {"value": self.wire.pack(function(*args, **kwargs))}
        except Exception as error:
            return {"raised": {"kinds": [type(error).__name__], "said": type(error).__name__, "args": []}}


class Remote:
    """Something of the submission's, by its number there."""

    def __init__(self, tests: Tests, number: int, name: str, gives_objects: bool, is_made: bool) -> None:
        vars(self).update(
            _tests=tests, _number=number, _name=name, _gives_objects=gives_objects, _is_made=is_made
        )

    _is_class = False
    _is_made: bool
    _tests: Tests
    _number: int
    _name: str
    _gives_objects: bool

    def number_over_there(self) -> int:
        return self._number

    def __repr__(self) -> str:
        return f"<{self._name} of the submission>"

    def _ask(self, what: str, *args: Any, **kwargs: Any) -> Any:
        return self._tests.ask(self, what, *args, **kwargs)


class Function(Remote):
    """A function of the submission. Equal to nothing but itself."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("call", *args, **kwargs)

    @property
    def __name__(self) -> str:
        return self._name


class Stream(Remote):
    """An iterator of the submission."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._ask("next")


class Object(Function):
    """A class of the submission that the tests use, or what came of it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or (name in _TEXT_ONLY and not (self._is_class or self._is_made)):
            raise AttributeError(name)
        return self._ask("getattr", name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("setattr", name, value)

    def __delattr__(self, name: str) -> None:
        self._ask("delattr", name)

    def __eq__(self, other: object) -> bool:
        # A value of the tests' own is never equal: the submission would be asked to say so.
        return isinstance(other, Remote) and self._ask("eq", other) is True

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __bool__(self) -> bool:
        return self._ask("bool") is True

    def __contains__(self, value: Any) -> bool:
        if self._is_made or isinstance(value, Remote):
            return self._ask("contains", value) is True
        return any(value == member for member in self)

    def __iter__(self) -> Iterator[Any]:
        stream = self._ask("iter")
        return stream if isinstance(stream, Stream) else iter(())

    def __next__(self) -> Any:
        return self._ask("next")

    def __getitem__(self, key: Any) -> Any:
        return self._ask("getitem", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._ask("setitem", key, value)

    def __delitem__(self, key: Any) -> None:
        self._ask("delitem", key)

    def __enter__(self) -> Any:
        return self._ask("enter")

    def __exit__(self, *_: object) -> None:
        self._ask("exit")

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, Remote) and self._ask("isinstance", value) is True


def _asking(what: str) -> Callable[..., Any]:
    def ask(self: Remote, *args: Any) -> Any:
        return self._ask(what, *args)

    return ask


def _reckoning(what: str) -> Callable[[Remote, Any], Any]:
    def ask(self: Remote, other: Any) -> Any:
        return self._ask(what, other) if self._is_made or isinstance(other, Remote) else NotImplemented

    return ask


def _asking_for(what: str, kind: type) -> Callable[[Remote], Any]:
    def ask(self: Remote) -> Any:
        value = self._ask(what)
        if not isinstance(value, kind):
            raise TypeError(f"the submission gave no {kind.__name__}")
        return value

    return ask


def _asking_of_its_own(what: str) -> Callable[[Remote, Any], Any]:
    def ask(self: Remote, other: Any) -> Any:
        return self._ask(what, other) if isinstance(other, Remote) else NotImplemented

    return ask


for _name in _ASKED:
    setattr(Object, f"__{_name}__", _asking(_name))
for _name in _RECKONING:
    setattr(Object, f"__{_name.rstrip('_')}__", _reckoning(_name))
for _name in _ORDERINGS:
    setattr(Object, f"__{_name}__", _asking_of_its_own(_name))
for _name, _kind in _PLAIN.items():
    setattr(Object, f"__{_name}__", _asking_for(_name, _kind))


def _said(error: BaseException) -> str:
    return str(error.args[0]) if error.args else ""


def _change(here: Any, there: Any) -> None:
    """Make a collection of this side what became of its copy over there, keeping what is in it the same."""
    if type(here) is not type(there) or here is there:
        return
    if isinstance(here, list):
        if len(here) == len(there):
            for index, (own, other) in enumerate(zip(here, there, strict=True)):
                if isinstance(own, list | dict | set) and type(own) is type(other):
                    _change(own, other)
                else:
                    here[index] = other
        else:
            here[:] = there
    elif isinstance(here, dict | set):
        here.clear()
        here.update(there)
    elif isinstance(here, bytearray):
        here[:] = there
