"""Projects of a test's own, the model that a test holds back, and a running `dagster dev` a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.dagster_dev import DagsterDev, dagster_dev
from tests.e2e.held_model import HeldModel, held_model
from tests.e2e.project import OWN_VARIABLES, Project

MakeProject = Callable[..., Project]


@pytest.fixture(scope="module")
def model() -> Iterator[HeldModel]:
    """A model that answers at once, until a test holds it back."""
    with held_model() as model:
        yield model


@pytest.fixture(scope="module", autouse=True)
def plain_environment() -> Iterator[None]:
    """No setting of the developer's own: what a project's `.env` says is all there is."""
    with pytest.MonkeyPatch.context() as patch:
        for name in OWN_VARIABLES:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def make_project(tmp_path_factory: pytest.TempPathFactory, model: HeldModel) -> MakeProject:
    """Makes fresh projects that use `model`; settings by name."""

    def make(**settings: object) -> Project:
        folder: Path = tmp_path_factory.mktemp("project")
        model_settings = {"OPENAI_API_KEY": "test", "OPENAI_API_BASE": model.url, "LLM_RETRIES": 1}
        return Project.make(folder, model_settings | settings)

    return make


@pytest.fixture(scope="module")
def dagster(make_project: MakeProject) -> Iterator[DagsterDev]:
    """`dagster dev` in a project of its own, which plans no rounds by itself."""
    project = make_project(ROUND_SIZE=4, MAX_CONCURRENT=8, FEEDBACK_ENABLED="false")
    with dagster_dev(project) as running:
        yield running
