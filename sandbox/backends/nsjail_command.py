"""The command line of an nsjail jail, option by option with its reason. Builds words; starts nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping

from sandbox.errors import SandboxUnavailable
from sandbox.inside.wire import WORKSPACE
from sandbox.inside.zygote import Config


def jail_command(
    nsjail: str,
    config: Config,
    etc_file: int,
    ids: Iterable[tuple[int, int, int]],
    environment: Mapping[str, str],
    descriptors: Iterable[int],
) -> list[str]:
    """The words that start a program, which has to follow them, in a jail: reading them is reading the jail.

    `etc_file` is a descriptor of what `etc_files` gives. `ids` are the ids inside, for users and groups,
    each with the uid and gid on the host; the first is the program's. nsjail makes all its namespaces (user,
    mount, pid, net, ipc, uts, cgroup) unless told otherwise, sets no-new-privileges and calls setsid, so none
    of that is asked for here.

    Left to the program: what is mounted below the folders shown, the system-call filter (nsjail takes none as
    BPF), nested user namespaces, the workspace and every limit. Raises SandboxUnavailable for a path that
    cannot be named.
    """
    return [
        nsjail,
        # Made-up files can only be given so. First, as it sets everything else back.
        *("--config", f"/proc/self/fd/{etc_file}"),
        # Clone, run once, give the exit code. With `execve` nsjail would not be the parent of the jail's
        # first process but become the program itself, outside the pid namespace it made.
        *("--mode", "o"),
        # Warnings and errors only, on stderr: what it says of a jail that it cannot make. Silent otherwise.
        "--quiet",
        # Its own default is 600 s; the host keeps the time.
        *("--time_limit", "0"),
        # Its own defaults are 1 MB a file, 32 descriptors and 4 GB of addresses; the program sets the run's.
        "--disable_rlimits",
        # Its own default is 19, which starves a run on a busy host.
        *("--nice_level", str(os.getpriority(os.PRIO_PROCESS, 0))),
        # What looks like uid 1000 inside is an unprivileged stranger on the host, never its root.
        *(word for inside, uid, gid in ids for word in _mapped(inside, uid, gid)),
        # For init, to give each run a new workspace; it takes them from every runner.
        "--keep_caps",
        *("--hostname", "sandbox"),
        # None of the host's environment, where secrets live: it is left out by default.
        *(word for name, value in environment.items() for word in ("--env", f"{name}={value}")),
        # The host's programs and libraries, and none of its other files. The root folder is a tmpfs that
        # nsjail makes read-only.
        *(word for mount in config.mounts for word in ("--bindmount_ro", _pair(*mount))),
        *(word for path, target in config.links for word in ("--symlink", _pair(target, path))),
        # The devices that programs count on, from the host: a user namespace may not make any.
        *(word for device in config.devices for word in ("--bindmount", device)),
        # Instead of its own, which is read-only: init closes user namespaces by it.
        *("--disable_proc", "--mount", "none:/proc:proc:"),
        # A folder for the workspace.
        *("--mount", f"none:{WORKSPACE}:tmpfs:size=4k,nr_inodes=1,mode=755"),
        # Every other descriptor above stderr is closed.
        *(word for number in descriptors for word in ("--pass_fd", str(number))),
        "--",
    ]


def etc_files(files: Iterable[tuple[str, str]]) -> str:
    """A configuration of nsjail's with read-only files, given as (path, text)."""
    # Its text format writes a string as JSON does.
    return "".join(
        f"mount {{ dst: {json.dumps(path)} src_content: {json.dumps(text)} is_bind: true rw: false }}\n"
        for path, text in files
    )


def _mapped(inside: int, uid: int, gid: int) -> list[str]:
    return ["--user", f"{inside}:{uid}:1", "--group", f"{inside}:{gid}:1"]


def _pair(first: str, second: str) -> str:
    if ":" in first + second:
        raise SandboxUnavailable(
            f"nsjail cannot show {first}: a colon ends a path there.", "Keep layers in a folder without one."
        )
    return f"{first}:{second}"
