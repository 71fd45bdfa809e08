"""What a slot has ready before a run: packages on its path, modules imported. Builds no layers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from sandbox.errors import SandboxUnavailable
from sandbox.requirements import JAIL_PYTHON, layer_key, read_requirements, science_requirements

SHARED_FOLDER = Path("/var/cache/agent-sandbox/layers")

MATPLOTLIB_FOLDER = ".matplotlib"
"""Where matplotlib looks for its list of fonts, in the home."""

ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "_RJEM_MALLOC_CONF": "background_thread:false",  # polars's allocator, which else starts four
}
"""Must be set before numpy is imported: a process with a second thread cannot be forked safely, and a BLAS
that starts one a core spends the run's limits on processes and memory. polars starts seven even so."""


@dataclass(frozen=True)
class Layer:
    """A read-only folder of installed packages. `key` names its requirements, the Python and the platform.

    `packages` goes on sys.path, after the standard library. What lies below `home` a run is to find at the
    same place in its home: `links` gives pairs of a relative path there and the file to link it to.
    """

    key: str
    path: Path

    @property
    def packages(self) -> Path:
        return self.path / "packages"

    @property
    def home(self) -> Path:
        return self.path / "home"

    def links(self) -> Iterator[tuple[Path, Path]]:
        for file in sorted(self.home.rglob("*")):
            if file.is_file():
                yield file.relative_to(self.home), file


@dataclass(frozen=True)
class Profile:
    """A kind of slot: what runs once in its init, before any run, so that runs need not.

    `preload` names modules to import, `warm_up` is code to run after them. Both need `environment`, the
    packages of `layers` on sys.path and a writable HOME with their links in it, and start no thread. Runs
    get the same environment. `after_fork` is code for each new process of the slot: without it all runs
    would draw the same random numbers. Code that mentions one of `serves` is fastest in such a slot.
    """

    name: str
    preload: tuple[str, ...]
    warm_up: str = ""
    after_fork: str = ""
    serves: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)


_COMMON = """
    abc ast base64 bisect calendar cmath collections contextlib copy dataclasses datetime decimal enum
    fractions functools heapq inspect io itertools json math numbers operator os pprint queue random re
    statistics string struct subprocess textwrap threading time traceback typing
"""

PLAIN = Profile(
    name="plain",
    preload=tuple(_COMMON.split()),
)
"""What programs import most. Not asyncio (3 MB a slot), unittest (1 MB), logging, tempfile (slow each fork).

`random` draws a new seed in every new process by itself.
"""

# What the large packages import, compute or cache at the first use of their common functions. It writes no
# figure: matplotlib would keep the font's file open, and a process that closes it could draw no text.
_FIRST_USES = """
import io
import matplotlib.pyplot as plt
import pandas as pd
import sympy

frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
frame.groupby("b").a.sum().to_string(), frame.describe().to_string(), frame.merge(frame, on="a").to_csv()
pd.read_csv(io.StringIO("a,b\\n1,2\\n")), pd.to_datetime(["2000-01-01"])

x = sympy.Symbol("x")
sympy.solve(x**2 - 2, x), sympy.integrate(x * sympy.sin(x), x)
sympy.simplify(sympy.sin(x) ** 2 + sympy.cos(x) ** 2), sympy.factor(x**2 - 1)

figure, axes = plt.subplots()
axes.plot([1, 2])
axes.bar([1], [2])
plt.close("all")
"""

SCIENCE = Profile(
    name="science",
    preload=(
        *PLAIN.preload,
        *("numpy", "numpy.random", "pandas", "sympy"),
        *("matplotlib", "matplotlib.pyplot", "matplotlib.backends.backend_agg", "PIL.PngImagePlugin"),
    ),
    warm_up=_FIRST_USES,
    after_fork="import numpy.random, sympy.core.random\nnumpy.random.seed()\nsympy.core.random.seed()\n",
    serves=("numpy", "pandas", "sympy", "matplotlib", "mpmath", "mpl_toolkits", "pylab"),
    environment={**ONE_THREAD, "MPLBACKEND": "Agg", "MPLCONFIGDIR": f"/tmp/{MATPLOTLIB_FOLDER}"},
)
"""The profile without its layer; `installed_profiles` gives it with one."""


def profile_for(code: str, available: Sequence[Profile]) -> Profile:
    """The profile of `available` whose packages `code` mentions, else the first, which is the default.

    A mention anywhere counts, so that no way to import is missed; a needless one only picks a warm slot.
    """
    for profile in available:
        if any(package in code for package in profile.serves):
            return profile
    return available[0]


def installed_profiles(python: str = JAIL_PYTHON, folder: Path | None = None) -> tuple[Profile, ...]:
    """The plain profile and, where its layer is built, the science one. The layer is in both of them.

    So which of them a run gets changes how fast its imports are, never whether they work.
    Raises SandboxUnavailable when `python` cannot be run.
    """
    layer = find_layer(science_requirements(), python, folder)
    if layer is None:
        return (PLAIN,)
    return (
        replace(PLAIN, layers=(layer,), environment=SCIENCE.environment),
        replace(SCIENCE, layers=(layer,)),
    )


def profile_of(file: str | os.PathLike[str], folder: Path | None = None) -> Profile:
    """The plain profile with the layer that `python -m sandbox.layers build FILE` made of this file.

    `folder` is where layers are, if not in the default place. Raises SandboxUnavailable when it is not built
    or the file cannot be read, ValueError for a line in it that is no requirement.
    """
    layer = find_layer(read_requirements(Path(file)), folder=folder)
    if layer is None:
        raise SandboxUnavailable(
            f"The layer of {file} is not built, or was built of other requirements.",
            f"Run `python -m sandbox.layers build {file}`.",
        )
    return replace(PLAIN, layers=(layer,), environment=SCIENCE.environment)


def find_layer(requirements: str, python: str = JAIL_PYTHON, folder: Path | None = None) -> Layer | None:
    """The layer of `requirements` if it is built; without `folder` one that root built for all counts too.

    Raises ValueError for requirements that no layer can have (see `normalised`), SandboxUnavailable when
    `python` cannot be run.
    """
    key = layer_key(requirements, python)
    for place in (folder,) if folder else (default_folder(), SHARED_FOLDER):
        if os.path.isdir(place / key):  # not Path.is_dir, which raises where a home cannot be read
            with suppress(OSError):  # another user's layer: its owner's runs keep it
                os.utime(place / key)
            return Layer(key, place / key)
    return None


def default_folder() -> Path:
    """Where this user's layers are: for root, whose jails run as other users, in the machine's own cache."""
    if os.geteuid() == 0:
        return SHARED_FOLDER
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agent-sandbox" / "layers"
