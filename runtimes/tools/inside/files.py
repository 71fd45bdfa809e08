"""What `file_operations` does in the workspace beyond reading and writing whole files. Runs in the jail."""

import fnmatch
import os
import shutil
import sys
from collections.abc import Iterator

MOST_SHOWN = 200
LARGEST_SEARCHED = 1 << 22
HIDDEN = {".figures", ".matplotlib", ".shm"}
"""What the sandbox keeps in the workspace, as `sandbox.runs.OWN_FOLDERS` names it."""


def main(operation: str, path: str, destination: str, pattern: str, text: str) -> None:
    """Do it, or end with one line that says why not."""
    try:
        match operation:
            case "list":
                listing(path)
            case "find":
                find(path, pattern, text)
            case "move":
                move(path, destination)
            case "delete":
                delete(path)
    except OSError as error:
        sys.exit(f"{operation} {path!r}: {error.strerror}.{beside(path)}")


def listing(path: str) -> None:
    if not os.path.isdir(path):
        os.stat(path)
        sys.exit(f"list {path!r}: It is a file, {os.path.getsize(path)} bytes. Read it.")
    entries = [entry for entry in os.scandir(path) if entry.name not in HIDDEN]
    for entry in sorted(entries, key=lambda entry: entry.name)[:MOST_SHOWN]:
        print(shown(entry))
    tell_rest(len(entries))
    if not entries:
        print("(empty)")


def shown(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return f"{entry.name} -> {os.readlink(entry.path)}"
    return f"{entry.name}/" if entry.is_dir() else f"{entry.name} ({entry.stat().st_size} bytes)"


def find(path: str, pattern: str, text: str) -> None:
    """Paths whose name, or path from `path` on, is like `pattern`; with `text` the lines that hold it."""
    os.listdir(path)
    found = 0
    for file in files_below(path):
        name = os.path.basename(file)
        if pattern and not (
            fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(os.path.relpath(file, path), pattern)
        ):
            continue
        for line in lines_with(text, file) if text else (file,):
            found += 1
            if found <= MOST_SHOWN:
                print(line)
    tell_rest(found)
    if not found:
        print("Nothing was found.")


def files_below(path: str) -> Iterator[str]:
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(set(folders) - HIDDEN)
        for name in sorted(names):
            yield os.path.normpath(os.path.join(folder, name))


def lines_with(text: str, file: str) -> Iterator[str]:
    if os.path.islink(file) or not os.path.isfile(file) or os.path.getsize(file) > LARGEST_SEARCHED:
        return
    with open(file, encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if text in line:
                yield f"{file}:{number}: {line.strip()[:300]}"


def move(path: str, destination: str) -> None:
    os.lstat(path)
    if os.path.isdir(destination) and not os.path.isdir(path):
        destination = os.path.join(destination, os.path.basename(path))
    if os.path.lexists(destination):
        sys.exit(f"move {path!r}: {destination!r} is there already. Delete it first, or name another.")
    os.makedirs(os.path.dirname(destination) or ".", exist_ok=True)
    try:
        shutil.move(path, destination)
    except shutil.Error as error:
        sys.exit(f"move {path!r}: {error}.")
    print(f"moved {path} to {destination}")


def delete(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        count = sum(1 for _ in files_below(path))
        shutil.rmtree(path)
        print(f"deleted the folder {path} and {count} files in it")
    else:
        os.remove(path)
        print(f"deleted {path}")


def tell_rest(count: int) -> None:
    if count > MOST_SHOWN:
        print(f"[... {count - MOST_SHOWN} more, not shown ...]")


def beside(path: str) -> str:
    """What there is in the nearest folder that exists, as a misspelt name is the usual reason."""
    folder = os.path.dirname(path.rstrip("/")) or "."
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder) or "."
    names = sorted(set(os.listdir(folder)) - HIDDEN)[:20]
    return f" In {folder!r} there is: {', '.join(names) or 'nothing'}."
