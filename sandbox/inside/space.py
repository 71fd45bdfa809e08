"""What a folder of untrusted code takes on its disk, and how such a folder is removed.

For a workspace on a file system of the host's, where no size can be set. Links are never followed, and no
folder is reached by more than its own name, whatever the code has planted or moves meanwhile.
"""

from __future__ import annotations

import os
import stat

from sandbox.inside import kernel
from sandbox.inside.usage import stat_fields

BLOCK = 512
"""Bytes of what st_blocks counts."""
DEEPEST = 128
"""Folders within each other, each of which takes a descriptor while it is looked at."""
NEEDED = stat.S_IRUSR | stat.S_IXUSR
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
DELETED = b" (deleted)"
FLAGS = 6
"""The field of /proc/PID/stat after the name that says, among others, whether a thread is ending."""
PF_EXITING = 0x4


class TooMuch(Exception):
    """More than may be there, or more than can be looked at."""


class Space:
    """Adds up the bytes on disk and the number of files, each once; stops with TooMuch when one is over."""

    def __init__(self, most_bytes: int, most_files: int) -> None:
        self.bytes_left = most_bytes
        self.files_left = most_files
        self.seen: set[int] = set()

    def add(self, inode: int, size: int) -> None:
        if inode in self.seen:
            return
        self.seen.add(inode)
        self.bytes_left -= size
        self.files_left -= 1
        if self.bytes_left < 0 or self.files_left < 0:
            raise TooMuch

    def add_tree(self, path: str) -> None:
        """All that is in a folder that no one can move. Raises TooMuch also for one that is too deep."""
        top = open_top(path)
        folders = [(top, self._names(top))]
        try:
            while folders:
                folder, names = folders[-1]
                if not names:
                    os.close(folder)
                    folders.pop()
                    continue
                if len(folders) > DEEPEST:
                    raise TooMuch
                name, mode = names.pop()
                try:
                    inner = open_folder(folder, name, mode)
                except (FileNotFoundError, NotADirectoryError):
                    # It was moved, or has become something else, since it was listed.
                    continue
                folders.append((inner, self._names(inner)))
        finally:
            for folder, _ in folders:
                os.close(folder)

    def _names(self, folder: int) -> list[tuple[str, int]]:
        """Add what a folder holds; gives the folders in it and their modes."""
        names = []
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                self.add(status.st_ino, status.st_blocks * BLOCK)
                if stat.S_ISDIR(status.st_mode):
                    names.append((entry.name, status.st_mode))
        return names

    def add_nameless(self, pid: int, device: int) -> None:
        """The files of a device that have no name any more, but that a process has open or mapped.

        Each of its threads may have descriptors of its own. Raises PermissionError for one that hides them.
        """
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            return
        for thread in threads:
            try:
                self._add_nameless_of(f"/proc/{pid}/task/{thread}", device)
            except (FileNotFoundError, ProcessLookupError):
                continue
            except PermissionError:
                # What a thread leaves behind on its way out belongs to root.
                if not is_ending(f"/proc/{pid}/task/{thread}"):
                    raise

    def _add_nameless_of(self, thread: str, device: int) -> None:
        for number in os.listdir(f"{thread}/fd"):
            self._add_if_nameless(f"{thread}/fd/{number}", device)
        with open(f"{thread}/maps", "rb") as maps:
            for line in maps:
                if line.rstrip().endswith(DELETED):
                    self._add_mapping(line, device)

    def _add_if_nameless(self, path: str, device: int) -> None:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return
        if status.st_nlink == 0 and status.st_dev == device and stat.S_ISREG(status.st_mode):
            self.add(status.st_ino, status.st_blocks * BLOCK)

    def _add_mapping(self, line: bytes, device: int) -> None:
        addresses, _, _, major_minor, inode, *_ = line.split()
        major, minor = (int(number, 16) for number in major_minor.split(b":"))
        if os.makedev(major, minor) == device:
            first, last = (int(address, 16) for address in addresses.split(b"-"))
            self.add(int(inode), last - first)


def is_ending(thread: str) -> bool:
    fields = stat_fields(thread)
    return not fields or bool(int(fields[FLAGS]) & PF_EXITING)


def open_top(path: str) -> int:
    """A descriptor to list a folder by, whose path no one can make lead elsewhere."""
    os.chmod(path, stat.S_IRWXU)
    return os.open(path, FOLDER)


def open_folder(parent: int, name: str, mode: int) -> int:
    """A descriptor to list a folder by; one that its owner may not read is made readable."""
    if mode & NEEDED == NEEDED:
        return os.open(name, FOLDER, dir_fd=parent)
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        kernel.change_mode(handle, stat.S_IMODE(mode) | NEEDED)
        return os.open(".", FOLDER, dir_fd=handle)
    finally:
        os.close(handle)


def remove(path: str) -> None:
    """Remove a folder of ours with all that is in it, when nobody changes it any more.

    Whatever its depth: folders are brought up to the top and removed there. Raises OSError.
    """
    top = open_top(path)
    try:
        while names := os.listdir(top):
            for name in names:
                if not unlink(top, name):
                    bring_up(top, name)
    finally:
        os.close(top)
    os.rmdir(path)


def bring_up(top: int, name: str) -> None:
    """Remove a folder at the top; the folders in it come to the top under new names."""
    folder = os.open(name, FOLDER, dir_fd=top)
    try:
        for inner in os.listdir(folder):
            if not unlink(folder, inner):
                os.rename(inner, os.urandom(16).hex(), src_dir_fd=folder, dst_dir_fd=top)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)


def unlink(folder: int, name: str) -> bool:
    """Remove a file; whether it was one. A folder is made one that can be read and moved."""
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        os.chmod(name, stat.S_IRWXU, dir_fd=folder)
        return False
    return True
