"""A finished release on an address that fsspec knows: `s3://bucket/path`, another object store, or a folder.

The manifest is put last: a release without it is not there. What is written here is never read again by the
platform, whose own copy is the one in `output/releases`.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from adp_assets.curation.release.manifest import MANIFEST
from runtimes.errors import ConfigurationError

AT_ONCE = 4
"""Files on their way at a time."""

_S3 = {"chunksize": 16 << 20, "max_concurrency": 2}
"""Bytes of a part and parts in memory of each file; by itself S3's store takes half a gigabyte."""

_FULL = {errno.ENOSPC, errno.EDQUOT}


def put_release(folder: Path, address: str) -> str:
    """Copy a release's folder to `<address>/<name>/`; gives where it is then.

    Raises ConfigurationError where a release of that name, or anything that is not its own, is there already,
    and when something cannot be written; then nothing of it is left.
    """
    store, target, shown = _opened(folder.name, address)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    if MANIFEST not in files:
        raise ConfigurationError(f"{folder} has no {MANIFEST}: it is no release.", "Make it: adp export.")
    began: list[str] = []
    with _in_words(f"Release {folder.name} cannot be put at {shown}", folder.name, address):
        _check_new(store, target, shown)
        _check_own(store, target, files, shown)
        try:
            _copy_all(store, folder, target, files, began)
        except BaseException:
            _remove(store, target, began)
            raise
    return shown


def check_place(name: str, address: str) -> None:
    """Raise ConfigurationError where a release of this name could not be put, before any work is done for it.

    That is an address that nobody knows or answers at, or has such a release.
    """
    store, target, shown = _opened(name, address)
    with _in_words(f"{shown} cannot be looked at"):
        _check_new(store, target, shown)


def _opened(name: str, address: str) -> tuple[Any, str, str]:
    """The store, the path in it, and the whole address as it may be shown."""
    import fsspec

    place = f"{address.rstrip('/')}/{name}"
    shown = _without_password(place)
    try:
        # A store looks up what it wrote itself, not what it knew of the place a while ago.
        store, target = fsspec.core.url_to_fs(place, use_listings_cache=False)
    except ImportError as error:
        raise ConfigurationError(
            f"{shown} needs a package that is not installed: {_cause(error)}.",
            "Install it; for s3:// run: pip install 'agent-data-platform[s3]'",
        ) from error
    except ValueError as error:
        raise ConfigurationError(
            f"{shown} cannot be written to: {_cause(error)}.",
            "Name a folder, or an address such as s3://bucket/path, gs://..., az://... or file:///....",
        ) from error
    except Exception as error:  # each store has its own
        raise ConfigurationError(f"{shown} cannot be opened: {_cause(error)}.", _way_out(error)) from error
    return store, str(target).rstrip("/"), shown


@contextmanager
def _in_words(what: str, name: str = "", address: str = "") -> Iterator[None]:
    """Turns a store's errors into one for a person, with how a release that was made gets there later."""
    try:
        yield
    except ConfigurationError:
        raise
    except Exception as error:  # each store has its own
        later = f" Then: adp push {name} --to {_without_password(address)} --really" if name else ""
        raise ConfigurationError(f"{what}: {_cause(error)}.", _way_out(error) + later) from error


def _check_new(store: Any, target: str, shown: str) -> None:
    if store.exists(f"{target}/{MANIFEST}"):
        raise ConfigurationError(
            f"There is a release at {shown}, and a release is never changed.",
            "Choose another name or address.",
        )


def _check_own(store: Any, target: str, files: list[str], shown: str) -> None:
    """What a killed copy left may be written over; nothing else may be there."""
    ours = {f"{target}/{name}".lstrip("/") for name in files}
    found = store.find(target) if store.exists(target) else []
    if foreign := sorted(str(path) for path in found if str(path).lstrip("/") not in ours):
        raise ConfigurationError(
            f"{shown} holds other files, such as {foreign[0].rsplit('/', 1)[-1]}.",
            "Remove them, or choose another name or address.",
        )


def _copy_all(store: Any, folder: Path, target: str, files: list[str], began: list[str]) -> None:
    def copy(name: str) -> None:
        began.append(name)
        _copy(store, folder / name, f"{target}/{name}")

    others = sorted((name for name in files if name != MANIFEST), key=lambda name: -_size(folder / name))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        copies = [pool.submit(copy, name) for name in others]
        try:
            for each in copies:
                each.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    copy(MANIFEST)


def _copy(store: Any, path: Path, target: str) -> None:
    if not getattr(store, "async_impl", False):  # an object store has no folders, and would make a bucket
        store.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
    store.put_file(str(path), target, **(_S3 if "s3" in store.protocol else {}))
    if (there := store.size(target)) != _size(path):
        raise OSError(f"{target} has {there:,} bytes in place of {_size(path):,}")


def _remove(store: Any, target: str, began: list[str]) -> None:
    """Take back what was written, as far as the store still answers."""
    for name in began:
        with suppress(Exception):
            store.rm_file(f"{target}/{name}")
    if getattr(store, "async_impl", False):
        return
    parents = {str(parent) for name in began for parent in Path(name).parents}
    for parent in sorted(parents, key=len, reverse=True):
        with suppress(Exception):
            store.rmdir(f"{target}/{parent}" if parent != "." else target)


def _size(path: Path) -> int:
    return path.stat().st_size


def _cause(error: BaseException) -> str:
    """The last cause in one line, without its full stop."""
    said = next((str(each) for each in _causes(error) if str(each).strip()), type(error).__name__)
    return " ".join(_without_password(said).split()).rstrip(".")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _way_out(error: BaseException) -> str:
    kinds = {type(each).__name__ for each in _causes(error)}
    if any("Credential" in kind for kind in kinds) or any(
        isinstance(each, PermissionError) for each in _causes(error)
    ):
        return "Give the credentials of one who may write there (AWS_ACCESS_KEY_ID or AWS_PROFILE for S3)."
    if isinstance(error, FileNotFoundError):
        return "Create the bucket, or mend the address."
    if isinstance(error, OSError) and error.errno in _FULL:
        return "Free space there, or choose another address."
    return "Check the address and the network (AWS_ENDPOINT_URL for an S3 of your own)."


def _without_password(text: str) -> str:
    return re.sub(r"://[^/@\s]+@", "://***@", text)
