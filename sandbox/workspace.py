"""Files in and out of a jail's workspace, from the host, through a descriptor of its top folder.

Code that nobody trusts put there what it likes, and may run while the host looks: so all is reached by way of
`sandbox.kernel`, beneath the folder and through no link, and all is bounded. Knows nothing of jails and runs.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import islice

from sandbox.contracts import File
from sandbox.inside.figures import MOST_FIGURES
from sandbox.inside.wire import SHARED_MEMORY_FOLDER
from sandbox.kernel import make_folders, open_to_read, replace_file

LARGEST_NAME, LARGEST_PATH = 255, 4095  # in bytes
DEEPEST_FOLDER, MOST_NAMES = 64, 50_000
FIGURE_NAME = re.compile(r"([0-9]{1,9})\.png")
PNG = b"\x89PNG\r\n\x1a\n"
HOST_FAULTS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EBADF)
"""What no code in a workspace brings about: raised, never told as a file's note."""


class Workspace:
    """The files of one jail. Owns `directory_fd`, which may be an O_PATH descriptor.

    `owner` is the host's (uid, gid) to give new files to, for a host that is root; None makes them its own.
    Paths are relative to the workspace. Calls take as long as the disk; none may be under way at `close`.
    """

    def __init__(self, directory_fd: int, owner: tuple[int, int] | None) -> None:
        self._directory = directory_fd
        self._owner = owner

    def close(self) -> None:
        """Close the descriptor. Safe to call twice; every other call raises OSError (EBADF) from then on."""
        descriptor, self._directory = self._directory, -1
        if descriptor >= 0:
            os.close(descriptor)

    def write(self, path: str, data: bytes, largest: int | None = None) -> None:
        """Make a regular file of `data`, and its folders. What had that name is replaced, never written to.

        Raises ValueError for a path outside the workspace or longer than Linux allows; else the OSError that
        writing met: EFBIG beyond `largest` bytes, ENOSPC, EISDIR, ELOOP for a folder that is a symbolic link.
        """
        *folders, name = _parts(path) or [""]
        with _errors_at(path):
            if not name:
                raise IsADirectoryError(errno.EISDIR, "the workspace itself")
            if largest is not None and len(data) > largest:
                raise OSError(errno.EFBIG, f"larger than {largest} bytes")
            folder = make_folders(self._directory, folders, self._owner)
            try:
                replace_file(folder, name, data, self._owner)
            finally:
                os.close(folder)

    def read(self, path: str, largest: int) -> bytes:
        """The bytes of a regular file that has no second name (hard link), at most `largest` of them.

        Raises ValueError as `write` does, else the OSError that reading met: EFBIG for a larger file, EMLINK.
        """
        with _errors_at(path):
            descriptor, status = open_to_read(self._directory, "/".join(_parts(path)) or ".", stat.S_IFREG)
            try:
                return _read(descriptor, status, largest)
            finally:
                os.close(descriptor)

    def listdir(self, path: str = ".") -> list[str]:
        """The sorted names in a folder, of whatever kind; those that are not UTF-8 as os.fsdecode gives them.

        Raises ValueError as `write` does, else the OSError that reading met: E2BIG for too many names.
        """
        with _errors_at(path):
            entries = self._scan("/".join(_parts(path)), MOST_NAMES + 1)
            if len(entries) > MOST_NAMES:
                raise OSError(errno.E2BIG, f"more than {MOST_NAMES} names")
        return [name for name, _ in entries]

    def collect(
        self, outputs: Sequence[str], figures_folder: str, max_files: int, max_bytes: int
    ) -> tuple[tuple[File, ...], tuple[bytes, ...]]:
        """The regular files, sorted by path, each with its hash; and the PNG pictures of a folder at the top.

        A file whose path matches one of the globs `outputs` (whose `*` crosses `/` too) comes with its data,
        and before the others where not all can be had. At most `max_files` are listed, `max_bytes` bytes of
        them read, and as many again of the pictures: those named by a number, at most 20, in that order.

        Links, FIFOs, sockets and devices are left out. A file with a second name (hard link) is listed, not
        read: nothing shows that the other name is in the workspace. What was not read is told by the note of
        the file, what is not listed by a last File of the path ".". A name that is not UTF-8 is shown with
        replacements. Safe while code runs, but then what is given need never have existed together.
        """
        missed: Counter[str] = Counter()
        figures = tuple(self._figures(figures_folder, max_bytes, missed))
        # Not kept as paths: 50,000 of them in one deep folder would hold hundreds of megabytes.
        found: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
        for place in self._walk((SHARED_MEMORY_FOLDER, figures_folder), missed):
            path = os.path.join(*place)
            found[any(fnmatchcase(path, glob) for glob in outputs)].append(place)
        ordered = [(wanted, place) for wanted, places in found.items() for place in places]
        missed[f"files beyond {max_files}"] = max(0, len(ordered) - max_files)
        files, room = [], max_bytes
        for wanted, place in ordered[:max_files]:
            file, taken = self._file(os.path.join(*place), wanted, room)
            files.append(file)
            room -= taken
        files.sort(key=lambda file: file.path)
        if note := ", ".join(f"{what}: {count}" for what, count in missed.items() if count):
            files.append(File(path=".", size=0, sha256=None, note=f"left out: {note}"))
        return tuple(files), figures

    def _file(self, path: str, keep_data: bool, room: int) -> tuple[File, int]:
        """The file, and how many bytes of it were read: all, or at most `room` of one that changes."""
        shown = os.fsencode(path).decode(errors="replace")
        size, data, note = 0, b"", ""
        try:
            descriptor, status = open_to_read(self._directory, path, stat.S_IFREG)
            try:
                size = status.st_size
                data = _read(descriptor, status, room)
                if len(data) < size or os.read(descriptor, 1):
                    note = "changed while it was read"
            finally:
                os.close(descriptor)
        except OSError as error:
            note = f"not read: {_reason(error)}"
        digest = None if note else hashlib.sha256(data).hexdigest()
        if shown != path:
            note = f"its name is not UTF-8; {note}".rstrip("; ")
        return File(shown, size, digest, data if keep_data and digest else None, note), len(data)

    def _figures(self, folder: str, room: int, missed: Counter[str]) -> Iterator[bytes]:
        try:
            names = [name for name, _ in self._scan(folder, MOST_NAMES)]
        except FileNotFoundError:
            return
        except OSError as error:
            missed[f"folder of figures ({_reason(error)})"] += 1
            return
        numbered = sorted((int(match[1]), name) for name in names if (match := FIGURE_NAME.fullmatch(name)))
        missed[f"figures beyond {MOST_FIGURES}"] = max(0, len(numbered) - MOST_FIGURES)
        for _, name in numbered[:MOST_FIGURES]:
            file, taken = self._file(os.path.join(folder, name), True, room)
            room -= taken
            if file.data is not None and file.data.startswith(PNG):
                yield file.data
            else:
                missed[f"figures ({file.note or 'not PNG'})"] += 1

    def _walk(self, skipped: Sequence[str], missed: Counter[str]) -> Iterator[tuple[str, str]]:
        """The folder and name of each regular file, upper folders first; `skipped` are names at the top.

        Without recursion, and with one descriptor at a time.
        """
        folders = deque([("", "", 0)])
        room = MOST_NAMES
        while folders and room:
            parent, own_name, depth = folders.popleft()
            folder = os.path.join(parent, own_name)
            try:
                entries = self._scan(folder, room)
            except OSError as error:
                if not folder:
                    raise
                missed[f"folders ({_reason(error)})"] += 1
                continue
            room -= len(entries)
            for name, kind in entries:
                if not folder and name in skipped:
                    continue
                if kind == stat.S_IFREG:
                    yield folder, name
                elif kind == stat.S_IFDIR and depth < DEEPEST_FOLDER:
                    folders.append((folder, name, depth + 1))
                elif kind == stat.S_IFDIR:
                    missed[f"folders deeper than {DEEPEST_FOLDER}"] += 1
        missed[f"whatever comes after {MOST_NAMES} names"] = int(not room)

    def _scan(self, folder: str, most: int) -> list[tuple[str, int]]:
        """At most `most` names of a folder, sorted, each with its kind (0 for what is no file and no folder).

        Bounded while reading: on some kernels a folder has no end while code renames in it (CVE-2024-46701).
        """
        descriptor, _ = open_to_read(self._directory, folder or ".", stat.S_IFDIR)
        try:
            with os.scandir(descriptor) as entries:
                return sorted((entry.name, _kind(entry)) for entry in islice(entries, most))
        finally:
            os.close(descriptor)


def _parts(path: str) -> list[str]:
    """The names a path is made of; none for the workspace itself."""
    names = path.split("/")
    if path.startswith("/") or ".." in names:
        raise ValueError(f"Path {path!r} leaves the workspace. Give one relative to it, without '..'.")
    if not path or "\0" in path:
        raise ValueError(f"Path {path!r} names no file. Give one relative to the workspace.")
    if len(os.fsencode(path)) > LARGEST_PATH or len(max(map(os.fsencode, names), key=len)) > LARGEST_NAME:
        most = f"{LARGEST_PATH} bytes, and {LARGEST_NAME} for each name in it"
        raise ValueError(f"Path {path[:80]!r}... of the workspace is too long. Give one of at most {most}.")
    return [name for name in names if name not in ("", ".")]


def _kind(entry: os.DirEntry[str]) -> int:
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    return stat.S_IFREG if entry.is_file(follow_symlinks=False) else 0


def _read(descriptor: int, status: os.stat_result, most: int) -> bytes:
    """The bytes a file had when its `status` was taken; fewer if it shrank since."""
    if status.st_nlink > 1:
        raise OSError(errno.EMLINK, "it has a second name (hard link)")
    if status.st_size > most:
        raise OSError(errno.EFBIG, f"larger than {most} bytes")
    chunks, left = [], status.st_size
    while left and (chunk := os.read(descriptor, min(left, 1 << 20))):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _reason(error: OSError) -> str:
    if error.errno in HOST_FAULTS:
        raise error
    return str(error.strerror)


@contextmanager
def _errors_at(path: str) -> Iterator[None]:
    """Names in an OSError the path the caller gave, not the one that met it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
