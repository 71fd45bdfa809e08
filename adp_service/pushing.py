"""What `adp push` sends of a release to the Hugging Face Hub, what speaks against it, and sending it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import polars as pl
import yaml  # type: ignore[import-untyped]

from adp_assets.curation.release.manifest import PROVENANCE, changed_files
from adp_assets.curation.release.publish import REPORT
from adp_assets.curation.release.releases import Release
from adp_service.platform import Platform
from runtimes.errors import ConfigurationError
from runtimes.llm.base import BUILTIN

ATTRIBUTES = ".gitattributes"
"""What the Hub keeps in every repository, and no release has."""

EXTRA = "pip install 'agent-data-platform[hub]'"


@dataclass(frozen=True)
class Parcel:
    """What would be sent: files by their path with their bytes, and what a person should know before.

    `kept_back` are folders of the release that stay here, with why.
    """

    release: Release
    repo: str
    private: bool
    files: Mapping[str, int]
    kept_back: Mapping[str, str]
    licence: str
    warnings: tuple[str, ...]


def packed(
    platform: Platform, release: Release, repo: str, *, private: bool, provenance: bool, report: bool
) -> Parcel:
    """What a push sends. Raises ConfigurationError for a release that is not as its manifest says.

    `provenance` names users and what was left out, `report` shows trajectories that were left out, those with
    secrets and personal data among them: both stay here unless they are asked for.
    """
    if faults := list(changed_files(release.folder, release.manifest)):
        raise ConfigurationError(
            f"Release {release.name} is not whole: {'; '.join(faults[:5])}.",
            "Restore it from a copy, or push another release.",
        )
    kept_back = {}
    if not provenance:
        kept_back[PROVENANCE] = "it names users, and every row left out (--provenance sends it)"
    if not report:
        kept_back[REPORT] = "it shows what filters left out, secrets and all (--report sends it)"
    files = {
        str(path.relative_to(release.folder)): path.stat().st_size
        for path in sorted(release.folder.rglob("*"))
        if path.is_file() and path.relative_to(release.folder).parts[0] not in kept_back
    }
    header = _header(release)
    licence = str(header.get("license") or "")
    warnings = (*_warnings(release, licence), *_checks(platform, release))
    return Parcel(release, repo, private, files, kept_back, licence, warnings)


def push(platform: Platform, parcel: Parcel) -> str:
    """Send it in one commit, which takes away what the repository had; gives the commit's address.

    Raises ConfigurationError without huggingface_hub or a token, and when the Hub refuses.
    """
    try:
        from huggingface_hub import HfApi, get_token
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError as error:
        raise ConfigurationError("Pushing needs huggingface_hub, which is not installed.", EXTRA) from error
    settings = platform.settings
    token = settings.hf_token or get_token()
    if not token:
        raise ConfigurationError(
            "There is no token of the Hugging Face Hub.",
            "Set HF_TOKEN in .env or the environment, or run: hf auth login",
        )
    api = HfApi(endpoint=settings.hf_endpoint, token=token, library_name="agent-data-platform")
    try:
        api.create_repo(parcel.repo, repo_type="dataset", private=parcel.private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=parcel.repo,
            repo_type="dataset",
            folder_path=parcel.release.folder,
            ignore_patterns=[f"{folder}/*" for folder in parcel.kept_back],
            delete_patterns="*",
            commit_message=f"Release {parcel.release.name}",
        )
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        raise ConfigurationError(
            f"{settings.hf_endpoint} refused {parcel.repo}: {_cause(error)}.", _way_out(status)
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigurationError(
            f"{parcel.repo} could not be sent to {settings.hf_endpoint}: {_cause(error)}.",
            "Check the network and HF_ENDPOINT, and push again: nothing is there before the last step.",
        ) from error
    return str(commit.commit_url)


def _header(release: Release) -> Mapping[str, Any]:
    """The YAML of the card, or nothing."""
    text = (release.folder / "README.md").read_text(encoding="utf-8")
    parts = text.split("---\n", 2)
    found = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0] else None
    return found if isinstance(found, dict) else {}


def _warnings(release: Release, licence: str) -> Iterator[str]:
    said = release.manifest
    builtin = sum(rows for who, rows in said["teachers"].items() if who.split(" / ")[0] == BUILTIN)
    if builtin:
        yield f"{builtin:,} rows are the built-in teacher's, the work of no language model"
    if licence in ("", "other", "unknown"):
        yield "the licences of its sources are several or unknown: see in the card whether you may share it"
    if not said.get("evaluation"):
        yield "contamination was not checked: no evaluation set was named (EVALUATION_DIR)"
    recipe = said["recipe"]
    for key in ("secrets", "personal_data"):
        if recipe.get(key) == "keep":
            yield f"its recipe keeps {key.replace('_', ' ')}"
    if recipe.get("unverified"):
        yield "its recipe takes rows that no verifier judged"
    kept = release.lineage().filter(pl.col("dropped") == "")
    places = [*kept["source"].unique().sort(), (said.get("evaluation") or {}).get("folder", "")]
    if files := [place for place in places if str(place).startswith("/")]:
        yield f"rows, card or manifest name files of this machine, such as {files[0]}"


def _checks(platform: Platform, release: Release) -> Iterator[str]:
    """What the checks of the run that made it found wrong."""
    kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    entries = platform.instance.all_logs(str(release.manifest["made_by"]), of_type=kind)
    found = {}
    for entry in entries:
        if entry.dagster_event is not None:
            evaluation = entry.dagster_event.asset_check_evaluation_data
            found[evaluation.check_name] = evaluation
    if not found:
        yield "what its checks said is not known here (Dagster has no record of the run that made it)"
    for name, evaluation in found.items():
        if not evaluation.passed:
            yield f"its check {name} did not pass: {evaluation.description}"


def _cause(error: Exception) -> str:
    lines: Iterable[str] = (line.strip() for line in str(error).splitlines())
    return next((line.rstrip(".") for line in lines if line), type(error).__name__)


def _way_out(status: int | None) -> str:
    if status in (401, 403):
        return "Use a token that may write there (HF_TOKEN)."
    if status == 404:
        return "Mend --to, and use a token that may write there (HF_TOKEN)."
    return "Nothing is there before the last step: push again."
