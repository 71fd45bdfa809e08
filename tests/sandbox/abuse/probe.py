"""What a probe is and how its answer is read. The probes are in the modules beside, the victims in `host`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.sandbox.abuse.host import Host

PRELUDE = Path(__file__).with_name("prelude.py").read_text()

Wall = Literal[
    "capabilities",
    "clean environment",
    "file system",
    "ipc namespace",
    "limits",
    "mount namespace",
    "network namespace",
    "no new privileges",
    "pid namespace",
    "seccomp",
    "user ids",
    "uts namespace",
]

Control = Literal["bare", "unprivileged"]
Verdict = Literal["breach", "blocked", "broken"]


@dataclass(frozen=True)
class Probe:
    """A short program that attempts something forbidden.

    It prints one line: `BREACH` and what it got, or `blocked` and why not. `wall` is what should stop it;
    others may stand before or behind. `code` may use what `prelude` defines, `HOST` for the victims, and
    `SECRET`, which they keep.

    `control` is the setting without a sandbox in which it has to succeed, so that it is known to be able to:
    root in namespaces to be thrown away (`bare`), or an ordinary user in them (`unprivileged`). `needs` are
    an architecture, or capabilities of root, without which it says nothing. `unsupported` are the reasons
    that, in the control, mean a kernel or machine without the thing attacked.
    """

    name: str
    wall: Wall
    code: str
    control: Control = "bare"
    needs: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ("ENOSYS",)

    def program(self, host: Host) -> str:
        """The whole program, aimed at the victims of `host`."""
        aim = f"HOST = types.SimpleNamespace(**{host.values!r})\nSECRET = HOST.secret_backwards[::-1]\n"
        return f"{PRELUDE}\n{aim}{self.code}\n"


def verdict(stdout: str) -> Verdict:
    """What a probe's output says. `broken`, for a crash or silence, is neither of the two: mend the probe."""
    lines = stdout.splitlines()
    if any(line.startswith("BREACH") for line in lines):
        return "breach"
    return "blocked" if len(lines) == 1 and lines[0].startswith("blocked ") else "broken"
