"""Replies to the stages' questions: paid once, whatever became of every cache, and never with a secret."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from adp_resources.database import Database
from adp_resources.replies import asked_once
from adp_resources.resources import ModelResource, resources
from adp_resources.tables import llm_replies
from runtimes.contracts import Message
from runtimes.llm.base import Account, ChatModel
from runtimes.llm.metered import Metering
from runtimes.llm.teacher import Teacher
from runtimes.secrets import Redactor
from tests.adp_assets.scripted import Oracle
from tests.llm_server.process import llm_server

ACCOUNT = Account(round="r", stage="mutation")
QUESTION: list[Message] = [{"role": "system", "content": "Ask."}, {"role": "user", "content": "{}"}]
SCHEMA = {"title": "MutatedIdea"}


def asking(model: ChatModel, database: Database, account: Account = ACCOUNT) -> ChatModel:
    return asked_once(model, Metering(), account, database, Redactor([("MY_KEY", "correct-horse-7")]))


def kept(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(llm_replies)).scalar_one())


async def test_a_question_that_was_answered_is_never_asked_again(database: Database) -> None:
    oracle = Oracle()
    first = await asking(oracle, database).complete(QUESTION, schema=SCHEMA)
    again = Database(database.url)
    other_round = Account(round="r2", stage="distillation")
    second = await asking(oracle, again, other_round).complete(QUESTION, schema=SCHEMA)
    again.close()
    assert len(oracle.asked) == 1
    assert (second.message, second.cached) == (first.message, True)


async def test_another_model_or_question_is_asked(database: Database) -> None:
    oracle, other = Oracle(), Oracle()
    other.model = "oracle-2"
    await asking(oracle, database).complete(QUESTION, schema=SCHEMA)
    await asking(other, database).complete(QUESTION, schema=SCHEMA)
    await asking(oracle, database).complete([*QUESTION, QUESTION[1]], schema=SCHEMA)
    assert (len(oracle.asked), len(other.asked), kept(database)) == (2, 1, 3)


async def test_a_reply_with_a_secret_is_not_kept(database: Database) -> None:
    leaking = Oracle(MutatedIdea=lambda facts: "the key is correct-horse-7")
    await asking(leaking, database).complete(QUESTION, schema=SCHEMA)
    assert kept(database) == 0


async def test_the_built_in_teachers_replies_are_not_kept(database: Database) -> None:
    assert isinstance(asking(Teacher(), database), Teacher)


async def test_a_stages_question_is_paid_once_though_nothing_is_cached(tmp_path: Path) -> None:
    with llm_server("steps", turns=0) as server:
        for _ in range(2):
            found = resources(project_root=str(tmp_path), vllm_url=server.url, enable_cache=False)
            model: ModelResource = found["model"]
            async with model.open(ACCOUNT) as chat:
                await chat.complete(QUESTION)
            found["database"].get().close()
        assert server.stats()["replies"] == {"200": 1}
