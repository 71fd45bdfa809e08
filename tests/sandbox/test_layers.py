"""Layers are built from wheels alone, whole or not at all; the wheels here are made by the tests."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import stat
import subprocess
import sys
import tarfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox import SandboxPool, profile_of
from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.layers import build_layer, find_layer, list_layers, main, remove_unused
from sandbox.requirements import JAIL_PYTHON

SETUID = (stat.S_IFREG | 0o4755) << 16  # a file's mode in a zip archive


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that pip takes packages from, and nothing else; `greet` 1.0 is in it."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    wheel(folder, "greet", {"greet/__init__.py": "WORD = 'hello'\n", "greet/run.sh": "#!/bin/sh\n"})
    return folder


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    return tmp_path / "layers"


def wheel(folder: Path, name: str, files: dict[str, str], needs: str = "") -> Path:
    """A wheel of `files`, with a command for the shell; every file is setuid in the archive."""
    info = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" + (
        f"Requires-Dist: {needs}\n" if needs else ""
    )
    files = files | {
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-command = {name}:main\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in files.items():
            entry = zipfile.ZipInfo(inside)
            entry.external_attr = SETUID
            archive.writestr(entry, text)
    return path


def jail_python(code: str, packages: Path) -> str:
    program = f"import sys; sys.path.append({str(packages)!r}); {code}"
    return subprocess.run(
        [JAIL_PYTHON, "-I", "-c", program], capture_output=True, text=True, check=True
    ).stdout


def test_a_layer_gives_jails_the_packages_and_what_they_need(wheels: Path, layers: Path) -> None:
    wheel(wheels, "polite", {"polite.py": "from greet import WORD\n"}, needs="greet>=1")
    layer = build_layer("polite", folder=layers)
    assert jail_python("import polite; print(polite.WORD, polite.__cached__)", layer.packages).startswith(
        "hello /"
    )
    assert find_layer("polite", folder=layers) == layer
    assert list_layers(layers) == [layer]


def test_what_is_in_a_layer_can_be_read_by_all_and_written_by_none(wheels: Path, layers: Path) -> None:
    umask = os.umask(0o077)
    try:
        layer = build_layer("greet", folder=layers)
    finally:
        os.umask(umask)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (layer.path, *layer.path.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o555}
    assert {mode for path, mode in modes.items() if path.is_file()} <= {0o444, 0o555}
    assert stat.S_IMODE(layers.stat().st_mode) == 0o755
    assert list(layer.packages.glob("greet/__pycache__/*.pyc"))
    assert not (layer.packages / "bin").exists()


def test_requirements_written_otherwise_are_the_same_layer(wheels: Path, layers: Path) -> None:
    layer = build_layer("Greet >= 1, <2 ; python_version > '3'\n", folder=layers)
    assert find_layer('# why\n\ngreet <2,>=1 \\\n; python_version  > "3" # here\n', folder=layers) == layer
    assert find_layer("greet>=1", folder=layers) is None


@pytest.mark.parametrize(
    "line",
    [
        "greet @ https://example.org/greet.whl",
        "https://example.org/greet.whl",
        "./greet",
        "../greet-1.0-py3-none-any.whl",
        "-e .",
        "-r /etc/passwd",
        "--index-url https://example.org",
        "--no-binary :all:",
        "greet --no-binary=:all:",
        "greet --config-settings=a=b",
        "greet; python_version > '${HOME}'",
        "greet==1 --hash=sha256:xyz/../a",
        "greet" * 200,
        "a\0b",
    ],
)
def test_a_line_that_is_no_name_with_versions_is_refused(line: str, layers: Path) -> None:
    with pytest.raises(ValueError, match="is not a package's name"):
        build_layer(f"numpy\n{line}\n", folder=layers)
    assert not layers.exists()


def test_a_layer_of_nothing_is_refused(layers: Path) -> None:
    with pytest.raises(ValueError, match="name no package"):
        build_layer("# only a comment\n", folder=layers)


def test_a_package_that_cannot_be_had_is_named_and_leaves_nothing(wheels: Path, layers: Path) -> None:
    with pytest.raises(
        SandboxError, match=r"nowhere==3 could not be installed .* No matching distribution"
    ) as caught:
        build_layer("nowhere==3", folder=layers)
    assert "wheel" in caught.value.remedy
    assert list(layers.iterdir()) == []


def test_no_code_of_a_source_package_ever_runs(wheels: Path, layers: Path, tmp_path: Path) -> None:
    trace = tmp_path / "it ran"
    with tarfile.open(wheels / "sourced-1.0.tar.gz", "w:gz") as archive:
        script = f"open({str(trace)!r}, 'w')\n".encode()
        for name, data in (
            ("setup.py", script),
            ("PKG-INFO", b"Metadata-Version: 2.1\nName: sourced\nVersion: 1.0\n"),
        ):
            entry = tarfile.TarInfo(f"sourced-1.0/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    with pytest.raises(SandboxError, match="sourced"):
        build_layer("sourced", folder=layers)
    assert not trace.exists()


def test_a_wheel_of_another_hash_is_refused(wheels: Path, layers: Path) -> None:
    (path,) = wheels.iterdir()
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(SandboxError, match=r"greet==1\.0.*HASHES"):
        build_layer(f"greet==1.0 --hash=sha256:{right[::-1]}", folder=layers)
    assert build_layer(f"greet==1.0 \\\n  --hash=sha256:{right}", folder=layers).packages.is_dir()


def test_a_lock_names_all_that_is_installed(wheels: Path, layers: Path) -> None:
    path = wheel(wheels, "polite", {"polite.py": "WORD = 'please'\n"}, needs="greet>=1")
    layer = build_layer(
        f"polite==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}", folder=layers
    )
    assert jail_python("import polite; print(polite.WORD)", layer.packages) == "please\n"
    assert not (layer.packages / "greet").exists()


def test_builders_at_the_same_time_get_the_same_layer(wheels: Path, layers: Path) -> None:
    with ThreadPoolExecutor(3) as threads:
        built = set(threads.map(lambda _: build_layer("greet", folder=layers), range(3)))
    assert [path.name for path in layers.iterdir()] == [layer.key for layer in built]


def test_a_killed_build_is_no_layer_and_is_cleared_away_later(wheels: Path, layers: Path) -> None:
    requirements = layers.parent / "greet.txt"
    requirements.write_text("greet\n")
    command = [sys.executable, "-m", "sandbox.layers", "--folder", str(layers), "build", str(requirements)]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL) as build:
        while not list(layers.glob(".unfinished-*/layer")):
            assert build.poll() is None
        os.killpg(build.pid, signal.SIGKILL)
    assert find_layer("greet", folder=layers) is None
    assert list_layers(layers) == []
    layer = build_layer("greet", folder=layers)
    (left,) = layers.glob(".unfinished-*")
    remove_unused(keep_days=30, folder=layers)
    assert left.exists()  # it could be a build that goes on
    os.utime(left, times=(0, 0))
    remove_unused(keep_days=30, folder=layers)
    assert list(layers.iterdir()) == [layer.path]


def test_layers_that_nobody_asked_for_in_a_while_are_removed(wheels: Path, layers: Path) -> None:
    wheel(wheels, "other", {"other.py": ""})
    unused, used = build_layer("greet", folder=layers), build_layer("other", folder=layers)
    for layer in (unused, used):
        os.utime(layer.path, times=(0, time.time() - 40 * 86_400))
    assert find_layer("other", folder=layers) == used
    assert remove_unused(keep_days=30, folder=layers) == [unused]
    assert list(layers.iterdir()) == [used.path]


def test_a_folder_that_cannot_be_written_is_named(wheels: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SandboxError, match=r"could not be written in .*file/layers"):
        build_layer("greet", folder=tmp_path / "file" / "layers")


def test_a_python_that_is_not_there_is_named(layers: Path) -> None:
    with pytest.raises(SandboxUnavailable, match=r"/no/python cannot be run"):
        build_layer("greet", python="/no/python", folder=layers)


def test_the_command_builds_once_and_says_so_in_one_line(wheels: Path, layers: Path) -> None:
    requirements = layers.parent / "greet.txt"
    requirements.write_text("greet\n")

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        program = [
            sys.executable,
            "-W",
            "error::RuntimeWarning",
            "-m",
            "sandbox.layers",
            "--folder",
            str(layers),
        ]
        return subprocess.run([*program, *words], capture_output=True, text=True, check=False)

    first, second = (command("build", str(requirements)) for _ in range(2))
    listed = command("list")
    failed = command("build", str(layers / "nothing.txt"))
    assert "built in" in first.stdout
    assert "is there" in second.stdout
    assert [len(done.stdout.splitlines()) for done in (first, second, listed)] == [1, 1, 1]
    assert [done.stderr for done in (first, second, listed)] == ["", "", ""]
    assert listed.stdout.endswith(": greet; 1 packages, 0 MB\n")
    assert failed.returncode == 1
    assert failed.stderr.startswith(
        f"layers: The requirements file {layers}/nothing.txt cannot be read: No such"
    )


@pytest.mark.parametrize(
    ("text", "words"), [("greet\n-e .\n", "'-e .' is not a package"), ("# none\n", "names no package")]
)
def test_a_bad_requirements_file_is_named(
    layers: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    file = layers.parent / "bad.txt"
    file.write_text(text)
    assert main(["--folder", str(layers), "build", str(file)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"layers: The requirements file {file}: ")
    assert words in said


def test_a_list_of_no_layers_says_how_to_build_one(layers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--folder", str(layers), "list"]) == 0
    assert f"No layer is built in {layers}." in capsys.readouterr().err


async def test_code_runs_with_a_layer_of_one_s_own(wheels: Path, layers: Path) -> None:
    file = layers.parent / "greet.txt"
    file.write_text("greet\n")
    with pytest.raises(SandboxUnavailable, match=f"layers build {file}"):
        profile_of(file, layers)
    for place in layers.parents[:2]:
        place.chmod(0o755)
    build_layer(file.read_text(), folder=layers)
    async with SandboxPool(slots=1) as pool:
        result = await pool.run(code="import greet; print(greet.WORD)", profile=profile_of(file, layers))
    assert result.stdout == "hello\n", result
