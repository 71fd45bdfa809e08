"""The side of the conversation with the tests: here they run, and here the verdict is made.

The agent's code is in another sandbox. Of what it returns, only data is compared, with the operators of this
side; things of its own are called or stepped through, and, where the tests use its classes, asked. What such
a thing answers is the submission's word, so it is never asked whether it equals a value of the tests.
"""

from __future__ import annotations

import builtins
import importlib
import json
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from runtimes.grading.inside.line import Line, Message
from runtimes.grading.inside.wire import NotData, Wire

TEST_FILE = "test_submission.py"
_ASKED = """
    neg pos abs invert add sub mul truediv floordiv mod pow matmul and_ or_ xor lshift rshift
"""
_ORDERINGS = ("lt", "le", "gt", "ge")
_PLAIN = {"len": int, "hash": int, "str": str, "int": int, "float": float}


class Tests:
    """The line to the submission, and what stands here for its functions, classes and objects.

    Objects of the submission's own are let in only from the names in `classes`: everything else must give
    data. With `in_place`, arguments that a function changed are changed here too.
    """

    def __init__(self, classes: list[str], in_place: bool) -> None:
        self._classes = frozenset(classes)
        self._in_place = in_place
        self._exceptions: dict[str, type[BaseException]] = {}
        self._from_class = False
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
        self._from_class = target._gives_objects
        reply = self.line.ask(question)
        self._from_class = target._gives_objects  # a call of ours in between may have changed it
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
        return self.wire.unpack(described["packed"])

    def _stand_in(self, number: int, form: str, name: str) -> Any:
        kind = {"function": Function, "stream": Stream}.get(form)
        if self._from_class and kind is not Stream:
            kind = Object
        if kind is None:
            raise NotData(f"the submission gave an object of its own ({name}) where the tests want data")
        return kind(self, number, name, self._from_class)

    def _exception_class(self, kinds: list[str]) -> type[BaseException]:
        """A class of this side: derived from the first of Python's own among `kinds`."""
        name = str(kinds[0])[:80]
        if name not in self._exceptions:
            known = (vars(builtins).get(str(kind)) for kind in kinds)
            allowed = (k for k in known if isinstance(k, type) and issubclass(k, (Exception, SystemExit)))
            base = next(allowed, Exception)
            self._exceptions[name] = (
                base if base.__name__ == name else type(name, (base,), {"__str__": _said})
            )
        return self._exceptions[name]

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

    def __init__(self, tests: Tests, number: int, name: str, gives_objects: bool) -> None:
        vars(self).update(_tests=tests, _number=number, _name=name, _gives_objects=gives_objects)

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
        if name.startswith("__"):
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
        return self._ask("contains", value) is True

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


for _name in _ASKED.split():
    setattr(Object, f"__{_name.rstrip('_')}__", _asking(_name))
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


def run(
    source: str,
    names: list[str],
    *,
    classes: list[str],
    in_place: bool,
    module: str,
    calls: list[str],
    modules: list[str],
) -> Line:
    """Begin: load the submission there, then evaluate `calls` or, without any, run the file of tests."""
    tests = Tests(classes, in_place)

    def work() -> None:
        try:
            found = tests.load(source, names)
        except BaseException as error:
            tests.line.report({"fault": f"the submitted code raised {_told(error)}"})
            return
        found |= _modules(modules)
        try:
            values = [_value(call, found) for call in calls]
            tests.line.report({"values": values} if calls else _pytest(module, found))
        except BaseException as error:
            tests.line.report({"fault": f"the tests broke off: {_told(error)}"})

    tests.line.start(work)
    return tests.line


def _modules(names: list[str]) -> dict[str, Any]:
    """Modules by the names that the tests use; numpy only where it is."""
    found = {}
    for name in names:
        with suppress(ImportError):
            found[name] = importlib.import_module({"np": "numpy"}.get(name, name))
    return found


def _value(call: str, names: dict[str, Any]) -> dict[str, Any]:
    """One call's value, plain enough for JSON, evaluated with this side's operators and builtins."""
    try:
        value = eval(call, dict(names))
        return {"value": json.loads(json.dumps(value, default=_plain))}
    except BaseException as error:
        return {"error": _told(error)}


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Stream):
        return list(value)
    if isinstance(value, Remote):
        raise NotData(f"{value!r} is no data")
    return repr(value)


def _pytest(module: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run the tests. What they name is found as a builtin would be, so that nothing of theirs is hidden."""
    import pytest

    submitted = types.ModuleType(module)
    vars(submitted).update(names)
    sys.modules[module] = submitted
    for name in names.keys() - vars(builtins).keys():
        setattr(builtins, name, names[name])
    heard = _Reports()
    plugins = ("cacheprovider", "faulthandler", "junitxml", "pastebin", "stepwise")
    options = ["-q", "-x", "--capture=sys", "--rootdir=.", *(f"-pno:{name}" for name in plugins), TEST_FILE]
    code = int(pytest.main(options, plugins=[heard]))
    return {"exit_code": code, "passed": heard.passed, "failed": heard.failed}


class _Reports:
    """What pytest tells of the tests."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid.partition("::")[2])
        elif report.when == "call" and report.passed:
            self.passed += 1

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append("the tests' own module")


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]
