"""Runs a probe where nothing stands in its way: a probe that fails here too would prove nothing in a jail."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.sandbox.abuse import machine
from tests.sandbox.abuse.host import Host
from tests.sandbox.abuse.probe import Probe, verdict

PYTHON = Path("/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable)
NOBODY = 65534
CAPABILITIES = {"CAP_SYS_RESOURCE": 24}


@dataclass(frozen=True)
class Outcome:
    """What a control showed. `cannot` says why this host cannot show the probe, `output` is what it said."""

    breached: bool
    cannot: str
    output: str


@functools.cache
def run_unprotected(probe: Probe) -> Outcome:
    """Run a probe in its control setting; once for each process of the test suite."""
    if os.geteuid() != 0:
        return Outcome(False, "the controls need root", "")
    for need in probe.needs:
        if not _offers(need):
            return Outcome(False, f"{need} is missing", "")
    folder = tempfile.mkdtemp(prefix="abuse-machine-")
    try:
        said = machine.run(partial(_play, probe), Path(folder), (PYTHON, Path.cwd(), Path.home()))
    except TimeoutError as error:
        return Outcome(False, "", str(error))
    except OSError as error:
        return Outcome(False, str(error), "")
    finally:
        # Seen from here it is empty. Never remove a tree: should a mount be in it, it would go along.
        os.rmdir(folder)
    answer = verdict(said)
    reason = said.removeprefix("blocked ").strip()
    cannot = f"the answer is {reason}" if answer == "blocked" and reason in probe.unsupported else ""
    return Outcome(answer == "breach", cannot, said)


def _offers(need: str) -> bool:
    """Whether this host has an architecture, or its root a capability."""
    if need not in CAPABILITIES:
        return platform.machine() == need
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return bool(int(status["CapEff"], 16) >> CAPABILITIES[need] & 1)


def _play(probe: Probe) -> None:
    """Run a probe on this machine, with every carelessness that a sandbox does away with."""
    host = Host().__enter__()
    # The first process, which is this one, survives every signal: an ordinary one has to stand for it.
    host.values["init_pid"] = host.victim.pid
    workspace = Path(tempfile.mkdtemp(prefix="abuse-"))
    workspace.chmod(0o1777)
    program = workspace / "probe.py"
    program.write_text(probe.program(host))
    leaked = os.open("/", os.O_PATH | os.O_DIRECTORY)
    user = NOBODY if probe.control == "unprivileged" else 0
    subprocess.run(
        [PYTHON, "-I", "-S", "-B", program],
        cwd=workspace,
        stdin=subprocess.DEVNULL,
        pass_fds=[leaked],
        start_new_session=True,
        user=user,
        group=user,
        extra_groups=[],
    )
