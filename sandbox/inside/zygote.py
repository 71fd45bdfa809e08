"""The zygote backend's jail, built step by step: read `start` from the top.

Runs as the launcher, with the rights of the host's process, and gives them up on the way. Every wall is
checked where it is made: an OSError here means that the host cannot have it, and no slot starts.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import os

from sandbox.inside import init, kernel
from sandbox.inside.jail import Jail, link_home
from sandbox.inside.preload import preload
from sandbox.inside.wire import SHARED_MEMORY_FOLDER, WORKSPACE

BUILD = "/mnt"
"""Where the slot's root is put together: a folder that every host has."""
OLD_ROOT = "/old"
INIT_ID = 0
RUNNER_ID = 1000
PRIVATE = kernel.MS_NOSUID | kernel.MS_NODEV
READ_ONLY = kernel.MOUNT_ATTR_RDONLY | kernel.MOUNT_ATTR_NOSUID


class Config:
    """What the host decides of a slot; plain values, as they travel by marshal."""

    def __init__(
        self,
        entrances: list[str],
        first_id: int,
        mounts_as_host: bool,
        mounts: list[tuple[str, str]],
        links: list[tuple[str, str]],
        files: list[tuple[str, str]],
        hidden: list[tuple[str, str, str]],
        devices: list[str],
        tmp_mb: int,
        inodes: int,
        home_links: list[tuple[str, str]],
        listen_on: int,
        modules: list[str],
        paths: list[str],
        warm_up: str,
        after_fork: str,
        init_filter: bytes,
        runner_filter: bytes,
    ) -> None:
        self.entrances = entrances
        self.first_id = first_id
        self.mounts_as_host = mounts_as_host
        self.mounts = mounts
        self.links = links
        self.files = files
        self.hidden = hidden
        self.devices = devices
        self.tmp_mb = tmp_mb
        self.inodes = inodes
        self.home_links = home_links
        self.listen_on = listen_on
        self.modules = modules
        self.paths = paths
        self.warm_up = warm_up
        self.after_fork = after_fork
        self.init_filter = init_filter
        self.runner_filter = runner_filter


def start(control: int, values: tuple) -> None:  # type: ignore[type-arg]
    """Build the slot; then be its launcher outside and its init inside."""
    config = Config(*values)
    control_socket = _socket.socket(fileno=control)
    # While the host's control groups can be seen: what is forked from here on is born in the slot's own.
    for entrance in config.entrances:
        with open(entrance, "w") as file:
            file.write("0")
    # Should the host be killed, so are we, and init by the same means.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, _signal.SIGKILL)
    host_proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    if config.mounts_as_host:
        # Mounts are made with the host's rights, so that any of its folders can be shown. What a more
        # privileged namespace mounted, the slot's own can then neither unmount nor make writable.
        kernel.unshare(kernel.CLONE_NEWNS)
        build_root(config)
    if config.first_id:
        become_root_of_a_user_namespace(config.first_id, host_proc)
    else:
        become_user_of_a_namespace()
    os.close(host_proc)
    kernel.unshare(kernel.CLONE_NEWNS)
    if not config.mounts_as_host:
        build_root(config)
    # Own processes: the host's can neither be seen nor signalled.
    # Own network, with nothing but a loopback of its own; abstract Unix sockets belong to it too.
    # Own queues and shared memory, own host name, own view of control groups.
    kernel.unshare(
        kernel.CLONE_NEWPID
        | kernel.CLONE_NEWNET
        | kernel.CLONE_NEWIPC
        | kernel.CLONE_NEWUTS
        | kernel.CLONE_NEWCGROUP
    )
    _socket.sethostname("sandbox")
    kernel.bring_up_loopback()
    # Only a child is in the new process namespace, as its first process: that is init.
    child = os.fork()
    if child:
        control_socket.close()
        os.waitpid(child, 0)
        os._exit(0)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, _signal.SIGKILL)
    # A view of the slot's own processes, over the host's: the kernel allows it to who sees all of that one.
    kernel.mount("proc", "/proc", "proc", PRIVATE | kernel.MS_NOEXEC)
    harden(config)
    init.serve(control_socket, ZygoteJail(config), config.listen_on)


def build_root(config: Config) -> None:
    """Become confined to a root with the host's programs and libraries, read-only, and none of its files."""
    # What is mounted from here on does not show on the host.
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", BUILD, "tmpfs", PRIVATE, "size=1m,nr_inodes=512,mode=755")
    for folder in ("/etc", "/dev", "/proc", WORKSPACE, OLD_ROOT):
        os.mkdir(BUILD + folder)
    for path, shown_at in config.mounts:
        # No device of the host's, and no program that would run with other rights than its caller's.
        bind(path, BUILD + shown_at, READ_ONLY | kernel.MOUNT_ATTR_NODEV)
    for folder, name, text in config.hidden:
        hide(BUILD + folder, name, text)
    for device in config.devices:
        bind(device, BUILD + device, READ_ONLY | kernel.MOUNT_ATTR_NOEXEC)
    for path, target in config.links:
        os.symlink(target, BUILD + path)
    for path, text in config.files:
        with open(BUILD + path, "w") as file:
            file.write(text)
    kernel.mount("/proc", BUILD + "/proc", None, kernel.MS_BIND | kernel.MS_REC)
    os.chdir(BUILD)
    kernel.pivot_root(".", OLD_ROOT[1:])
    kernel.unmount(OLD_ROOT)
    os.rmdir(OLD_ROOT)
    os.chdir("/")
    kernel.set_mount_attributes("/", READ_ONLY | kernel.MOUNT_ATTR_NODEV, below=False)


def bind(path: str, target: str, attributes: int) -> None:
    """Show a file or folder of the host, and all that is mounted below it, at `target`."""
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        open(target, "w").close()
    kernel.mount(path, target, None, kernel.MS_BIND | kernel.MS_REC)
    kernel.set_mount_attributes(target, attributes, below=True)


def hide(folder: str, name: str, text: str) -> None:
    """Put an empty folder in front of one of the host's, with nothing in it but a file of this text."""
    kernel.mount("tmpfs", folder, "tmpfs", PRIVATE | kernel.MS_NOEXEC, "size=64k,nr_inodes=2,mode=755")
    with open(f"{folder}/{name}", "w") as file:
        file.write(text)
    kernel.set_mount_attributes(
        folder, READ_ONLY | kernel.MOUNT_ATTR_NODEV | kernel.MOUNT_ATTR_NOEXEC, below=False
    )


def become_root_of_a_user_namespace(first_id: int, host_proc: int) -> None:
    """Inside, init is uid 0 and runners are uid 1000; on the host both are ids that no account has.

    So what runs here is an unprivileged stranger on the host, never its root, and cannot touch init either.
    """
    pid = os.getpid()
    asked, ask = os.pipe()
    # The maps can only be written from outside of the new namespace.
    writer = os.fork()
    if writer == 0:
        # Else this would wait for ever where no namespace can be made.
        os.close(ask)
        if os.read(asked, 1):
            ids = f"{INIT_ID} {first_id} 1\n{RUNNER_ID} {first_id + 1} 1\n".encode()
            for name in ("uid_map", "gid_map"):
                file = os.open(f"{pid}/{name}", os.O_WRONLY, dir_fd=host_proc)
                os.write(file, ids)
        os._exit(0)
    os.close(asked)
    try:
        kernel.unshare(kernel.CLONE_NEWUSER)
        os.write(ask, b"\0")
    finally:
        os.close(ask)
        status = os.waitpid(writer, 0)[1]
    if status != 0:
        raise OSError("the ids of the user namespace could not be mapped")
    os.setgroups([])
    os.setresgid(INIT_ID, INIT_ID, INIT_ID)
    os.setresuid(INIT_ID, INIT_ID, INIT_ID)


def become_user_of_a_namespace() -> None:
    """Without root only the own id can be mapped: init and runners share it, so the rest keeps them apart."""
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{RUNNER_ID} {uid} 1"),
        ("gid_map", f"{RUNNER_ID} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def harden(config: Config) -> None:
    """What init takes upon itself and every runner inherits, so that no run pays for it."""
    # A user namespace inside would give back the capabilities that kernel exploits start from.
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")
    # Else an address stays taken for a minute after its run, and the next run in the slot would notice.
    with open("/proc/sys/net/ipv4/tcp_max_tw_buckets", "w") as file:
        file.write("0")
    kernel.mount("tmpfs", WORKSPACE, "tmpfs", PRIVATE, "size=16m")
    link_home(WORKSPACE, config.home_links)
    preload(config.modules, config.paths, config.warm_up)
    kernel.unmount(WORKSPACE)
    # Nothing can be gained by executing a program, and no capability be had that init has not.
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.drop_bounding_set()
    # Last, as it denies much of the above. Init keeps only mount and umount2, for new workspaces.
    kernel.install_filter(kernel.Filter(config.init_filter))


class ZygoteJail(Jail):
    """Gives every run a new file system in memory for its workspace."""

    def __init__(self, config: Config) -> None:
        self.options = (
            f"size={config.tmp_mb}m,nr_inodes={config.inodes + 2},mode=700,uid={RUNNER_ID},gid={RUNNER_ID}"
        )
        self.runner_filter = kernel.Filter(config.runner_filter)
        self.home_links = config.home_links
        self.after_fork = compile(config.after_fork, "<after-fork>", "exec")
        self.shared_memory = f"{self.workspace}/{SHARED_MEMORY_FOLDER}"
        self.home_folders = sorted(
            {os.path.dirname(f"{self.workspace}/{name}") for name, _ in self.home_links}
        )
        self.empty: list[object] = []

    def renew(self) -> None:
        if self.empty:
            # Most runs leave nothing. To unmount takes half a millisecond, to look a tenth of that.
            if self.is_empty():
                return
            kernel.unmount(self.workspace)
        kernel.mount("tmpfs", self.workspace, "tmpfs", PRIVATE, self.options)
        os.mkdir(self.shared_memory)
        os.chmod(self.shared_memory, 0o1777)
        link_home(self.workspace, self.home_links)
        for folder in self.home_folders:
            os.chown(folder, RUNNER_ID, RUNNER_ID)
        self.empty = self.look()

    def is_empty(self) -> bool:
        try:
            return self.look() == self.empty
        except OSError:
            # A folder that was there is none any more.
            return False

    def look(self) -> list[object]:
        """All by which the workspace would differ if anything in it had been changed.

        Whatever is made, removed or given other attributes changes a time that only the kernel sets.
        """
        space = os.statvfs(self.workspace)
        seen: list[object] = [(space.f_bfree, space.f_ffree)]
        for folder in (self.workspace, self.shared_memory, *self.home_folders):
            status = os.lstat(folder)
            attributes = (status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_nlink)
            times = (status.st_mtime_ns, status.st_ctime_ns)
            seen.append((attributes, times, sorted(os.listdir(folder)), os.listxattr(folder)))
        return seen

    def confine(self) -> None:
        if os.getuid() != RUNNER_ID:
            os.setresgid(RUNNER_ID, RUNNER_ID, RUNNER_ID)
            os.setresuid(RUNNER_ID, RUNNER_ID, RUNNER_ID)
        kernel.drop_capabilities()
        kernel.install_filter(self.runner_filter)
