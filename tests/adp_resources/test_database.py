"""Opening, upgrading and writing a real database file."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from adp_resources.database import Database, upsert
from adp_resources.tables import intake_rejects, metadata
from runtimes.errors import ConfigurationError


def reject(line: int, reason: str) -> dict[str, object]:
    return {"path": "p", "line": line, "reason": reason, "content": b"{", "rejected_at": 1.0}


def reasons(database: Database) -> list[str]:
    with database.read() as connection:
        found = connection.execute(sa.select(intake_rejects.c.reason).order_by(intake_rejects.c.line))
        return list(found.scalars())


def test_upgrading_an_empty_file_gives_the_tables_as_declared(database: Database) -> None:
    inspector = sa.inspect(database.engine)
    for table in metadata.tables.values():
        found = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
        assert found == {column.name: column.nullable for column in table.columns}, table.name
        indexes = {index["name"] for index in inspector.get_indexes(table.name)}
        assert {index.name for index in table.indexes} <= indexes


def test_upgrading_twice_keeps_what_is_there(database: Database) -> None:
    with database.begin() as connection:
        upsert(connection, intake_rejects, [reject(1, "kept")])
    database.upgrade()
    again = Database(database.url)
    again.upgrade()
    assert reasons(again) == ["kept"]
    again.close()


def test_two_that_upgrade_the_same_new_file_at_once_both_succeed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.sqlite"
    faults: list[BaseException] = []
    start = threading.Barrier(4)

    def upgrade() -> None:
        database = Database(url)
        start.wait()
        try:
            database.upgrade()
        except BaseException as error:
            faults.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_a_new_file_that_another_one_writes_into_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite"
    faults: list[BaseException] = []

    def upgrade() -> None:
        try:
            with closing(Database(f"sqlite:///{path}")) as database:
                database.upgrade()
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=upgrade)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), faults
        other.execute("COMMIT")
    thread.join()
    assert faults == []


def test_upsert_replaces_or_leaves_alone_and_counts_what_it_wrote(database: Database) -> None:
    with database.begin() as connection:
        assert upsert(connection, intake_rejects, [reject(1, "a"), reject(2, "b")]) == 2
        assert upsert(connection, intake_rejects, [reject(2, "B"), reject(3, "c")]) == 2
        assert upsert(connection, intake_rejects, [reject(3, "C"), reject(4, "d")], replace=False) == 1
        assert upsert(connection, intake_rejects, []) == 0
    assert reasons(database) == ["a", "B", "c", "d"]


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def fail_midway() -> None:
        with database.begin() as connection:
            upsert(connection, intake_rejects, [reject(1, "lost")])
            raise KeyError("midway")

    with pytest.raises(KeyError):
        fail_midway()
    assert reasons(database) == []


def test_writers_wait_for_each_other_and_none_is_lost(database: Database) -> None:
    def count_up() -> None:
        for _ in range(25):
            with database.begin() as connection:
                known = connection.execute(
                    sa.select(sa.func.count()).select_from(intake_rejects)
                ).scalar_one()
                upsert(connection, intake_rejects, [reject(known + 1, str(known))])

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reasons(database)) == 100, "each read what the one before had written"


def test_a_reader_sees_a_snapshot_and_holds_up_no_writer(database: Database) -> None:
    with database.read() as reader:
        count = sa.select(sa.func.count()).select_from(intake_rejects)
        assert reader.execute(count).scalar_one() == 0
        with database.begin() as connection:
            upsert(connection, intake_rejects, [reject(1, "new")])
        assert reader.execute(count).scalar_one() == 0
    assert reasons(database) == ["new"]


def test_a_folder_that_cannot_be_made_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match=str(tmp_path / "file")) as failed:
        Database(f"sqlite:///{tmp_path}/file/adp.sqlite")
    assert "DATABASE_PATH" in failed.value.remedy


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, None])
def test_a_file_that_is_no_database_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "adp.sqlite"
    path.mkdir() if content is None else path.write_bytes(content)
    database = Database(f"sqlite:///{path}")
    with pytest.raises(ConfigurationError, match=str(path)) as failed:
        database.upgrade()
    assert "DATABASE_PATH" in failed.value.remedy


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    database = Database("postgresql+psycopg2://adp:hidden@127.0.0.1:1/adp")
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1:1") as failed:
        database.upgrade()
    assert "hidden" not in str(failed.value)
