"""`adp run` against a provider that tells its callers' secrets: no file and no word of ours holds them."""

from __future__ import annotations

import base64
import itertools
import json
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl

from adp_resources.logs import log_to_file
from adp_resources.settings import load_settings, secret_redactor
from runtimes.contracts import trajectory_from_json
from tests.adp_service.command import Ended, adp, project
from tests.llm_server.replies import assistant, complete_task, completion, tool_call

KEY = "sk-pl4nted/0123456789+abcdef"
PASSWORD = "hunter2:p@ss"
SPELLINGS = [KEY, KEY.replace("/", "\\/"), base64.b64encode(KEY.encode()).decode()[:36], PASSWORD]

Telling = Callable[[dict[str, object], str], tuple[int, bytes]]
"""What a provider answers to a request and the key it came with: status and body."""


@contextmanager
def provider(tell: Telling) -> Iterator[str]:
    """The base address of a provider that answers with what `tell` gives."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = tell(request, self.headers["Authorization"].removeprefix("Bearer "))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()


def gossip(request: dict[str, object], key: str) -> tuple[int, bytes]:
    """A model that repeats its key in thought, code, answer, essence and new task."""
    messages = request["messages"]
    assert isinstance(messages, list)
    said = sum(message["role"] == "assistant" for message in messages)
    encoded = base64.b64encode(key.encode()).decode()
    if "tools" not in request:
        pattern = {"key_steps": [key], "execution_pattern": encoded, "success_indicators": []}
        essence = {"domain": key, "query": key, "complexity_level": "simple", "success_pattern": pattern}
        task = {
            "description": f"Say {key}",
            "expected_tools": [],
            "verifier": {"kind": "exact", "spec": {"expected": key}},
            "solution": f"print({key!r})",
        }
        message = assistant(json.dumps({**essence, **task}))
    elif said == 0:
        code = f"import os\nprint({key!r}, {encoded!r}, os.environ)\nopen({key!r})"
        call = tool_call("python_executor", json.dumps({"code": code}), "call_0")
        message = assistant(f"My key is {key}.", [call])
    else:
        message = complete_task(f"{key} {PASSWORD} 42")
    return 200, completion(message, prompt_tokens=1, completion_tokens=1)


def run(folder: Path, base: str, **fields: object) -> Ended:
    project(
        folder,
        OPENAI_API_KEY=KEY,
        OPENAI_API_BASE=base,
        BACKUP_PASSWORD=PASSWORD,
        LLM_RETRIES=1,
        WEB_TRACE="failure",
        LOG_LEVEL="DEBUG",
    )
    task = {"task_id": "t", "task_type": "code", "description": "Tell.", **fields}
    (folder / "tasks.jsonl").write_text(json.dumps(task) + "\n")
    return adp(folder, "--debug", "run", "tasks.jsonl", "--rounds", "2")


def kept(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file the run left, and within databases and Parquet what stands there compressed."""
    for path in folder.rglob("*"):
        if not path.is_file() or path.name == ".env":
            continue
        yield str(path), path.read_bytes().decode(errors="replace")
        if path.suffix == ".parquet":
            for row in pl.read_parquet(path, hive_partitioning=False).iter_rows():
                yield str(path), repr(row)
        elif path.suffix in {".sqlite", ".db"}:
            yield from ((str(path), row) for row in rows(path))


def rows(path: Path) -> Iterator[str]:
    with sqlite3.connect(path) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for value in itertools.chain.from_iterable(
            row for (table,) in tables for row in database.execute(f'SELECT * FROM "{table}"')
        ):
            try:
                yield zlib.decompress(value).decode(errors="replace")
            except (TypeError, zlib.error):
                yield str(value)


def leaks(folder: Path, ended: Ended) -> list[str]:
    """Where a secret stands, by file and spelling."""
    told = [*kept(folder), ("stdout", ended.output), ("stderr", ended.said)]
    return sorted({f"{place}: {each}" for place, text in told for each in SPELLINGS if each in text})


def test_nothing_a_run_leaves_holds_the_key_its_model_repeats(tmp_path: Path) -> None:
    with provider(gossip) as base:
        ran = run(tmp_path, base, verifier={"kind": "numeric", "spec": {"expected": 42}})
    assert ran.code == 0, ran.said
    trajectory = trajectory_from_json((tmp_path / "output/trajectories/t.json").read_bytes())
    assert trajectory.final_result == "[redacted:OPENAI_API_KEY] [redacted:BACKUP_PASSWORD] 42"
    assert trajectory.outcome == "solved"
    written = "".join(text for _, text in kept(tmp_path))
    assert "Say [redacted:OPENAI_API_KEY]" in written, "no task was made of what the model said"
    assert leaks(tmp_path, ran) == []


def test_a_provider_that_refuses_a_key_and_repeats_it_is_told_of_without_it(tmp_path: Path) -> None:
    def refuse(request: dict[str, object], key: str) -> tuple[int, bytes]:
        return 401, json.dumps({"error": {"message": f"Incorrect API key: {key}"}}).encode()

    with provider(refuse) as base:
        refused = run(tmp_path, base)
    assert refused.code == 1
    assert "Incorrect API key: [redacted:OPENAI_API_KEY]" in refused.said
    assert leaks(tmp_path, refused) == []


def test_a_traceback_in_the_log_holds_no_secret(tmp_path: Path) -> None:
    import logging

    project(tmp_path, OPENAI_API_KEY=KEY, DATABASE_PATH="postgresql://adp:s3cr3t-word@db/adp")
    log_to_file(tmp_path, "INFO", secret_redactor(load_settings(project_root=tmp_path)))
    log = logging.getLogger("runtimes.perform")
    try:
        raise ValueError(f"cannot use {KEY}")
    except ValueError:
        log.exception("task %s with s3cr3t-word", KEY)
    written = (tmp_path / "adp.log").read_text()
    assert "task [redacted:OPENAI_API_KEY] with [redacted:DATABASE_PATH]" in written
    assert "ValueError: cannot use [redacted:OPENAI_API_KEY]" in written
    assert KEY not in written
