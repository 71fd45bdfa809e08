"""The files an agent may upload: those its task names, or text of its own; never a path of this machine."""

from __future__ import annotations

import base64
import binascii
import mimetypes
from typing import Any

from runtimes.contracts import TaskSpec
from runtimes.errors import ToolError
from runtimes.web.page.actions import UploadFile

MAX_BYTES = 10_000_000


def upload_file(task: TaskSpec, name: str, content: str | None = None) -> UploadFile:
    """The file `name` of `constraints.files`, or one made of `content`, at most MAX_BYTES large.

    `constraints.files` maps names to a text, or to `{"base64": "..."}`. Raises ToolError where there is no
    such file or the constraint cannot be read.
    """
    if content is not None:
        return _file(name, content.encode("utf-8", "replace"))
    files: Any = task.constraints.get("files") or {}
    if not isinstance(files, dict):
        raise _unreadable(files)
    if name not in files:
        named = f"Its files: {', '.join(map(repr, files))}." if files else "It has no files."
        raise ToolError("browser_error", f"The task has no file {name!r}.", f"{named} Or give the content.")
    match files[name]:
        case str(text):
            return _file(name, text.encode("utf-8", "replace"))
        case {"base64": str(data)}:
            try:
                return _file(name, base64.b64decode(data, validate=True))
            except binascii.Error as error:
                raise _unreadable(files[name]) from error
        case other:
            raise _unreadable(other)


def _file(name: str, content: bytes) -> UploadFile:
    if len(content) > MAX_BYTES:
        raise ToolError("browser_error", f"The file {name!r} is larger than {MAX_BYTES} bytes.")
    plain = name.replace("\\", "/").rpartition("/")[2] or "file.txt"
    return UploadFile(plain, content, mimetypes.guess_type(plain)[0] or "application/octet-stream")


def _unreadable(value: object) -> ToolError:
    return ToolError(
        "system_error",
        f"The task's constraints.files holds {str(value)[:200]!r}.",
        'It must map names to a text or to {"base64": "..."}.',
    )
