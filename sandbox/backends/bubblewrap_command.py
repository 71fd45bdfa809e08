"""The command line of a bubblewrap jail, option by option with its reason. Builds words; starts nothing."""

from __future__ import annotations

from sandbox.backends.base import SlotKind
from sandbox.backends.system import DEVICES, PATHS_FILE, system_folders
from sandbox.inside.wire import SHARED_MEMORY_FOLDER, WORKSPACE


def jail_command(
    bwrap: str, kind: SlotKind, seccomp: int, files: dict[str, int], hidden: dict[str, int]
) -> list[str]:
    """The words that start a program, which has to follow them, in a jail: reading them is reading the jail.

    `seccomp`, `files` and `hidden` are descriptors: of a system-call filter, of what the file at each path is
    to hold, and of what is to be known of the layers in each of these folders. Nothing here is a `-try`: a
    kernel that cannot give one of the walls refuses the jail. What bwrap cannot do is to bound the number of
    files.
    """
    return [
        bwrap,
        # Own users: what looks like uid 1000 inside is an unprivileged stranger on the host, never its root.
        *("--unshare-user", "--uid", "1000", "--gid", "1000"),
        # A new user namespace would give back the capabilities that kernel exploits start from.
        "--disable-userns",
        # Own processes: the host's can neither be seen nor signalled, and all die with the jail's first one.
        "--unshare-pid",
        # So init is that first one, which no code inside can kill.
        "--as-pid-1",
        # Own network with nothing but a loopback of its own; abstract Unix sockets belong to it too.
        "--unshare-net",
        # Own System V and POSIX queues, own host name, own view of control groups.
        *("--unshare-ipc", "--unshare-uts", "--unshare-cgroup"),
        *("--hostname", "sandbox"),
        # No capability survives, not even inside the user namespace. bwrap itself sets no-new-privileges.
        *("--cap-drop", "ALL"),
        # Killed with the host's process, so a host killed by SIGKILL leaves nothing.
        "--die-with-parent",
        # No controlling terminal to push keystrokes into.
        "--new-session",
        # System calls that no namespace covers.
        *("--seccomp", str(seccomp)),
        # None of the host's environment, where secrets live.
        "--clearenv",
        *(word for name, value in kind.environment().items() for word in ("--setenv", name, value)),
        # The host's programs and libraries, read-only, none of its other files, and a few that are made up.
        *_system(files),
        # Instead of the host's own python packages nothing but a word on where the layers are.
        *(word for folder, file in hidden.items() for word in _hidden(folder, file)),
        *(word for path, shown_at in kind.layers() for word in ("--ro-bind", path, shown_at)),
        *("--proc", "/proc"),
        # The devices that programs count on. Not `--dev`, which brings terminals along.
        *(word for device in DEVICES for word in ("--dev-bind", device, device)),
        *("--symlink", "/proc/self/fd", "/dev/fd"),
        # The workspace: the only place that can be written. Shared memory counts towards its size.
        *("--size", str(kind.tmp_mb << 20), "--perms", "0700", "--tmpfs", WORKSPACE),
        *("--perms", "1777", "--dir", f"{WORKSPACE}/{SHARED_MEMORY_FOLDER}"),
        *("--symlink", f"{WORKSPACE}/{SHARED_MEMORY_FOLDER}", "/dev/shm"),
        *(word for name, file in kind.home_links() for word in ("--symlink", file, f"{WORKSPACE}/{name}")),
        # The root folder, in which all this was put together, is a tmpfs without a bound.
        *("--remount-ro", "/"),
        *("--chdir", WORKSPACE),
        "--",
    ]


def _system(files: dict[str, int]) -> list[str]:
    folders, links = system_folders()
    options = [word for folder in folders for word in ("--ro-bind", folder, folder)]
    options += [word for path, target in links for word in ("--symlink", target, path)]
    for path, descriptor in files.items():
        options += ["--perms", "0444", "--file", str(descriptor), path]
    return options


def _hidden(folder: str, paths_file: int) -> list[str]:
    options = ["--size", str(1 << 16), "--perms", "0755", "--tmpfs", folder]
    options += ["--perms", "0444", "--file", str(paths_file), f"{folder}/{PATHS_FILE}"]
    return [*options, "--remount-ro", folder]
