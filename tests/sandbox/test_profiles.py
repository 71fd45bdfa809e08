"""What a profile is picked by, and that what it does ahead of a run leaves the run as it would be without."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest

from sandbox.profiles import PLAIN, SCIENCE, Profile, find_layer, installed_profiles, profile_for
from sandbox.requirements import JAIL_PYTHON, science_requirements

BOTH = (PLAIN, SCIENCE)


@pytest.mark.parametrize(
    "code",
    [
        "import numpy",
        "import numpy as np",
        "import os, numpy",
        "import os, \\\n  numpy",
        "from pandas import DataFrame",
        "from matplotlib.pyplot import plot",
        "import sympy.stats",
        "def solve():\n    if True: import sympy\n",
        'import importlib; importlib.import_module("numpy")',
        "__import__('pandas')",
        "name = 'numpy'; __import__(name)",
        "print(1)\n" * 500_000 + "import numpy",
    ],
    ids=lambda code: code[:30],
)
def test_code_that_imports_a_scientific_package_in_any_way_gets_the_science_profile(code: str) -> None:
    assert profile_for(code, BOTH) is SCIENCE


@pytest.mark.parametrize(
    "code", ["", "import json", "print('\0')", "x = 1\n" * 800_000], ids=["empty", "json", "nul", "long"]
)
def test_other_code_gets_the_plain_profile(code: str) -> None:
    assert profile_for(code, BOTH) is PLAIN


def test_code_gets_the_default_where_no_other_profile_is_available() -> None:
    assert profile_for("import numpy", (PLAIN,)) is PLAIN


def test_a_machine_without_the_layer_has_the_plain_profile_only(tmp_path: Path) -> None:
    assert installed_profiles(folder=tmp_path) == (PLAIN,)


def test_a_profile_can_be_a_key() -> None:
    assert {PLAIN: 1, SCIENCE: 2}[SCIENCE] == 2


@pytest.fixture(params=["plain", "science"])
def profile(request: pytest.FixtureRequest) -> Profile:
    if request.param == "plain":
        return PLAIN
    return science()


def science() -> Profile:
    if find_layer(science_requirements()) is None:
        pytest.skip("the science layer is not built: python -m sandbox.layers build science")
    return next(profile for profile in installed_profiles() if profile.name == "science")


def warmed(profile: Profile, home: Path, then: str) -> dict[str, Any]:
    """What `then` puts in `told`, run by a jail's Python after all that a slot of `profile` does ahead."""
    for link, target in (pair for layer in profile.layers for pair in layer.links()):
        (home / link).parent.mkdir(parents=True, exist_ok=True)
        (home / link).symlink_to(target)
    environment = {name: value.replace("/tmp", str(home)) for name, value in profile.environment.items()}
    program = f"""
import sys
sys.path += {[str(layer.packages) for layer in profile.layers]!r}
import gc, importlib, json, logging, os
logging.basicConfig(filename="log", level=logging.DEBUG)
for name in {profile.preload!r}:
    importlib.import_module(name)
exec({profile.warm_up!r}, {{}})
told = {{}}
{textwrap.dedent(then)}
print(json.dumps(told))
"""
    command = [JAIL_PYTHON, "-I", "-c", program]
    done = subprocess.run(
        command, env={"HOME": str(home), **environment}, cwd=home, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "stderr": done.stderr}


def test_a_warmed_profile_has_one_thread_and_no_file_open(profile: Profile, tmp_path: Path) -> None:
    told = warmed(
        profile,
        tmp_path,
        """
        logging.shutdown()
        gc.collect()
        told["threads"] = len(os.listdir("/proc/self/task"))
        names = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
        told["files"] = [name for name in names if "/packages/" in name]
        """,
    )
    assert (told["threads"], told["files"], told["stderr"]) == (1, [], "")


def test_each_process_draws_random_numbers_of_its_own(profile: Profile, tmp_path: Path) -> None:
    told = warmed(
        profile,
        tmp_path,
        f"""
        def draw():
            exec({profile.after_fork!r}, {{}})
            numbers = [sys.modules["random"].random()]
            if "numpy" in sys.modules:
                numbers += [sys.modules["numpy"].random.rand(), sys.modules["sympy.core.random"].rng.random()]
            return numbers

        told["drawn"] = []
        for _ in range(2):
            reader, writer = os.pipe()
            if not os.fork():
                os.write(writer, json.dumps(draw()).encode())
                os._exit(0)
            told["drawn"].append(json.loads(os.read(reader, 1000)))
        """,
    )
    first, second = told["drawn"]
    assert not set(first) & set(second)


def test_the_science_profile_leaves_no_figure_and_draws_with_the_fonts_listed_at_build(
    tmp_path: Path,
) -> None:
    told = warmed(
        science(),
        tmp_path,
        """
        import matplotlib.pyplot as plt
        told["figures"] = plt.get_fignums()
        plt.plot([1, 2])
        plt.title("a title")
        plt.savefig("plot.png")
        """,
    )
    assert told["figures"] == []
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert "Using fontManager instance from" in (tmp_path / "log").read_text()
    assert [path.is_symlink() for path in (tmp_path / ".matplotlib").iterdir()] == [True]


def test_a_fresh_interpreter_imports_all_of_the_science_layer(tmp_path: Path) -> None:
    profile = science()
    program = "import numpy.testing, pandas.testing, sympy.testing, matplotlib.testing, mpl_toolkits.mplot3d"
    environment = {
        "PYTHONPATH": str(profile.layers[0].packages),
        "HOME": str(tmp_path),
        "MPLCONFIGDIR": str(tmp_path),
    }
    subprocess.run([JAIL_PYTHON, "-c", program], env=environment, check=True)


def test_the_science_lock_is_pinned_with_hashes_and_names_no_place() -> None:
    text = science_requirements()
    lines = [line for line in text.splitlines() if not line.startswith(" ")]
    assert all("==" in line for line in lines)
    assert text.count("--hash=sha256:") >= len(lines)
    assert "://" not in text
    assert os.sep not in text
