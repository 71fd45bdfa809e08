"""Builds package layers, on the host and from wheels only; `python -m sandbox.layers` is the command.

It is run as a program, so nothing that `import sandbox` loads may import it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.profiles import Layer, default_folder, find_layer
from sandbox.requirements import (
    JAIL_PYTHON,
    install_wheels,
    last_words,
    layer_key,
    names_of,
    normalised,
    read_requirements,
    science_requirements,
)

__all__ = ["Layer", "build_layer", "find_layer", "list_layers", "remove_unused"]

_UNFINISHED = ".unfinished-"
_DAY = 86_400  # seconds

_LIST_FONTS = "import sys; sys.path.append(sys.argv[1]); import matplotlib.font_manager"


def build_layer(requirements: str, python: str = JAIL_PYTHON, folder: Path | None = None) -> Layer:
    """The layer of `requirements`, lines as in a requirements file; built if it is not there yet.

    Only wheels are installed, so no code of a package runs here. When one line has hashes all must have. Any
    number of processes may build the same layer at once. Below a `folder` that other users cannot enter, a
    layer serves only jails that run as this user. Raises ValueError for a line that is no requirement,
    SandboxError when a package cannot be had or the folder cannot be written.
    """
    lines = normalised(requirements)
    if not lines:
        raise ValueError("The requirements name no package. Give at least one, such as 'numpy>=2'.")
    found = find_layer(requirements, python, folder)
    if found:
        return found
    folder = folder or default_folder()
    final = folder / layer_key(requirements, python)
    try:
        with _workplace(folder) as work:
            layer = work / "layer"
            install_wheels(lines, python, layer / "packages", work)
            if lines == normalised(science_requirements()):
                _write_font_cache(python, layer, work)
            (work / "requirements.txt").rename(layer / "requirements.txt")
            _publish(layer, final)
    except OSError as error:
        message = f"The layer could not be written in {folder}: {error}."
        raise SandboxError(
            message, "Make room there, let this user write there, or name another folder."
        ) from error
    return Layer(final.name, final)


@contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """A temporary folder beside the layers: what a killed build leaves is in it and has no layer's name."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        made.chmod(0o755)  # whatever the umask: root's jails run as other users
    work = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder))
    try:
        (work / "layer" / "packages").mkdir(parents=True)
        (work / "layer" / "home").mkdir()
        yield work
    finally:
        _remove(work)


def _write_font_cache(python: str, layer: Path, work: Path) -> None:
    """Store matplotlib's list of fonts, which takes its first import in an empty home 0.1 s to make.

    This runs the packages' code on the host, so it is done for the lock of the sandbox's own and no other.
    HOME is a folder without fonts, so that none of this user's gets into the list.
    """
    environment = {"HOME": str(work), "PATH": os.defpath, "MPLCONFIGDIR": str(layer / "home" / ".matplotlib")}
    command = [python, "-I", "-c", _LIST_FONTS, str(layer / "packages")]
    done = subprocess.run(
        command, env=environment, cwd=work, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        message = f"{python} cannot import the matplotlib just installed: {last_words(done.stderr)}"
        raise SandboxError(message, "Check that this Python is complete, or name another one for the jails.")


def _publish(layer: Path, final: Path) -> None:
    """Make every file readable by all and writable by none, then give the layer its name in one step."""
    for path in layer.rglob("*"):
        runnable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o555 if runnable else 0o444)  # this takes setuid bits too
    layer.chmod(0o755)  # only a folder that its owner may write can be moved into another
    try:
        layer.rename(final)
    except OSError:
        if not final.is_dir():  # else another builder was faster, and its layer is as good
            raise
    final.chmod(0o555)


def list_layers(folder: Path | None = None) -> list[Layer]:
    """The finished layers in a folder (without one: in this user's), sorted by key."""
    folder = folder or default_folder()
    places = folder.iterdir() if folder.is_dir() else ()
    return [Layer(place.name, place) for place in sorted(places) if not place.name.startswith(".")]


def remove_unused(keep_days: float, folder: Path | None = None) -> list[Layer]:
    """Delete the layers that `find_layer` last gave more than `keep_days` ago; gives those deleted.

    What killed builds left goes too, after a day. A jail that still uses a deleted layer loses its packages,
    so give more days than a pool lives.
    """
    folder = folder or default_folder()
    now = time.time()
    for left in folder.glob(f"{_UNFINISHED}*"):
        if left.stat().st_mtime < now - _DAY:
            _remove(left)
    unused = [layer for layer in list_layers(folder) if layer.path.stat().st_mtime < now - keep_days * _DAY]
    for layer in unused:
        gone = layer.path.rename(folder / f"{_UNFINISHED}{layer.key}-{os.getpid()}")
        _remove(gone)
    return unused


def _remove(folder: Path) -> None:
    for place, _, _ in os.walk(folder):
        os.chmod(place, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(
        "python -m sandbox.layers", description="Package layers for the sandbox."
    )
    parser.add_argument("--folder", type=Path, help="where the layers are, if not in the default place")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="build a layer, unless it is there")
    build.add_argument("what", help="science, or a file of requirements")
    build.add_argument("--python", default=JAIL_PYTHON, help="the interpreter inside jails (%(default)s)")
    commands.add_parser("list", help="name the layers that are built")
    options = parser.parse_args(arguments)
    try:
        if options.command == "build":
            print(_build(options.what, options.python, options.folder))
            return 0
        found = list_layers(options.folder)
        for layer in found:
            print(f"{layer.path}: {_description(layer)}")
        if not found:
            print(f"No layer is built in {options.folder or default_folder()}.", file=sys.stderr)
            print("Build one: python -m sandbox.layers build science (or a file).", file=sys.stderr)
        return 0
    except (SandboxError, ValueError, OSError) as error:
        print(f"layers: {error}", file=sys.stderr)
        return 1


def _build(what: str, python: str, folder: Path | None) -> str:
    requirements = science_requirements() if what == "science" else read_requirements(Path(what))
    found = find_layer(requirements, python, folder)
    if found:
        return f"{what}: is there, {found.path}"
    started = time.monotonic()
    layer = build_layer(requirements, python, folder)
    return f"{what}: built in {time.monotonic() - started:.1f} s, {_description(layer)}, {layer.path}"


def _description(layer: Layer) -> str:
    size = sum(file.stat().st_size for file in layer.path.rglob("*") if file.is_file())
    packages = len(list(layer.packages.glob("*.dist-info")))
    wanted = names_of((layer.path / "requirements.txt").read_text().splitlines())
    return f"{wanted}; {packages} packages, {size / 1e6:.0f} MB"


if __name__ == "__main__":
    sys.exit(main())
