"""Hosts like a container, made without a container engine: root without rights, a covered /proc, a filter.

What was tried in real containers is told in docs/sandbox-containers.md.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sandbox
from sandbox.inside import kernel
from sandbox.seccomp import DENIED, SOCKET
from tests.sandbox.hosts import NOBODY, SYSTEM_PYTHON

ROOT = os.geteuid() == 0
PROFILE = Path(__file__).parents[2] / "config" / "sandbox-seccomp.json"
BUILDS_A_SLOT = {"unshare", "mount", "umount2", "pivot_root", "mount_setattr", "sethostname"}
"""Calls that a slot needs and that Docker's own profile denies."""
ON_X86_64 = 0

# Prints what a pool of a backend came to: the ids outside that those inside stand for, and more.
USE = '''
import asyncio, sys
from sandbox import Limits, SandboxPool, SandboxUnavailable

LOOK = "print(*(line.split()[1] for line in open('/proc/self/uid_map')))"
FORKS = """
import os, time
for count in range(100):
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        time.sleep(60)
print(count)
"""

async def main():
    async with SandboxPool(slots=1, backend=sys.argv[1]) as pool:
        try:
            await pool.check()
        except SandboxUnavailable as error:
            print("refused:", error)
            return
        print("ids:", (await pool.run(code=LOOK)).stdout.strip())
        print("forks:", (await pool.run(code=FORKS, limits=Limits(processes=10))).stdout.strip())
        copy = "open('b', 'w').write(open('a/a').read()); __import__('os').chmod('b', 0)"
        print("file:", (await pool.run(code=copy, files={"a/a": b"kept"}, outputs=("b",))).files[-1].data)

asyncio.run(main())
'''

needs_root = pytest.mark.skipif(not ROOT, reason="untested here: only root can be a root with fewer rights")


@pytest.fixture(scope="module")
def package() -> Iterator[Path]:
    """A copy of the package that every user can read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        shutil.copytree(Path(sandbox.__file__).parent, Path(folder, "sandbox"))
        yield Path(folder)


def use(package: Path, backend: str, *host: str, **options: Any) -> dict[str, str]:
    """What `USE` printed, by its first words, when the command `host` made the host for it."""
    command = [*host, SYSTEM_PYTHON, "-B", "-c", USE, backend]
    done = subprocess.run(command, cwd=package, capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == 0, done.stderr
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


def root_without(*capabilities: str) -> list[str]:
    """The start of a command that root runs as a root without these, as in a container."""
    dropped = ",".join(f"-{name}" for name in capabilities)
    return ["setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}", "--"]


@needs_root
@pytest.mark.parametrize("backend", ["zygote", "bubblewrap"])
def test_a_root_that_may_not_mount_still_runs_code_as_a_stranger(package: Path, backend: str) -> None:
    if backend == "bubblewrap" and not shutil.which("bwrap"):
        pytest.skip("untested here: there is no bwrap")
    came = use(package, backend, *root_without("sys_admin"))
    assert "refused" not in came, came
    assert all(int(outside) >= 1000 for outside in came["ids"].split()), came
    # Root on the host may start as many processes as it likes, whatever its limit.
    assert int(came["forks"]) < 10
    assert came["file"] == "b'kept'"


@needs_root
@pytest.mark.parametrize(
    ("backend", "capability"),
    [
        ("zygote", "setuid"),
        ("zygote", "setgid"),
        ("zygote", "dac_override"),
        ("zygote", "fowner"),
        ("bubblewrap", "setuid"),
        ("bubblewrap", "kill"),
    ],
)
def test_a_root_that_cannot_run_code_as_a_stranger_is_refused(
    package: Path, backend: str, capability: str
) -> None:
    if backend == "bubblewrap" and not shutil.which("bwrap"):
        pytest.skip("untested here: there is no bwrap")
    came = use(package, backend, *root_without("sys_admin", capability))
    assert f"this root is without CAP_{capability.upper()}." in came["refused"]
    assert "--user 1000:1000" in came["refused"]


@pytest.mark.parametrize("backend", ["zygote", "bubblewrap"])
def test_a_covered_proc_is_refused_with_the_way_out(package: Path, backend: str) -> None:
    if backend == "bubblewrap" and not shutil.which("bwrap"):
        pytest.skip("untested here: there is no bwrap")
    cover = 'mount --bind /dev/null /proc/keys && exec "$@"'
    came = use(
        package,
        backend,
        *("unshare", "--user", "--map-user=1000", "--map-group=1000", "--keep-caps", "--mount"),
        *("sh", "-c", cover, "sh"),
        # As in a container, where an unprivileged user has no capability.
        *("setpriv", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--"),
        **({"user": NOBODY, "group": NOBODY, "extra_groups": []} if ROOT else {}),
    )
    assert "mount proc on" in came["refused"]
    assert "systempaths=unconfined" in came["refused"]


def test_the_profile_for_containers_denies_nothing_that_builds_a_slot(package: Path) -> None:
    names = {name for rule in rules() for name in rule["names"]}
    # A name beyond these would be more than what a slot does without as well.
    assert names <= {"socket", *(name for calls in DENIED.values() for name in calls)}
    assert not names & BUILDS_A_SLOT


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="untested here: the numbers are those of x86_64")
def test_slots_can_be_made_under_the_profile_for_containers(package: Path) -> None:
    def confine() -> None:
        if ROOT:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        kernel.install_filter(kernel.Filter(as_filter(rules())))

    came = use(package, "zygote", preexec_fn=confine)
    assert int(came["forks"]) < 10
    assert came["file"] == "b'kept'"


def rules() -> list[dict[str, Any]]:
    profile = json.loads(PROFILE.read_text())
    assert profile["defaultAction"] == "SCMP_ACT_ALLOW"
    return list(profile["syscalls"])


def as_filter(profile: list[dict[str, Any]]) -> bytes:
    """What a container engine makes of the profile, as bytes of struct sock_filter."""
    numbers = {name: pair[ON_X86_64] for calls in DENIED.values() for name, pair in calls.items()}
    numbers["socket"] = SOCKET[ON_X86_64]
    load, equal, give = 0x20, 0x15, 0x06
    program = []
    for rule in profile:
        refusal = (give, 0, 0, 0x00050000 | rule["errnoRet"])
        for name in rule["names"]:
            tests = [
                (0, numbers[name]),
                *((16 + 8 * arg["index"], arg["value"]) for arg in rule.get("args", [])),
            ]
            left = 2 * len(tests)
            for offset, value in tests:
                left -= 2
                program += [(load, 0, 0, offset), (equal, 0, left + 1, value)]
            program.append(refusal)
    program.append((give, 0, 0, 0x7FFF0000))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
