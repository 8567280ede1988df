"""A process learns of a change of the keystore that another one made: at once, and through every outage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from crypto import keystore_file, keystore_listener
from crypto.durable import replace_file
from crypto.keyset import KeyType
from crypto.keystore import KeyRecord, Keystore, Records
from crypto.keystore_file import FileKeystore
from crypto.keystore_table import TableKeystore
from crypto.providers.local import LocalProvider
from tests.crypto.stores import new_record
from tests.postgres import Database

TIMEOUT = 20


async def add_one(records: Records) -> list[KeyRecord]:
    return [
        replace(
            new_record(records, KeyType.FEK, "public.t.c", "aes-siv", None),
            version=len(records) + 1,
            algorithm=f"test-{len(records)}",
        )
    ]


async def news(changes: AsyncGenerator[None]) -> None:
    """The next change."""
    async with asyncio.timeout(TIMEOUT):
        await anext(changes)


async def no_news(changes: AsyncGenerator[None], seconds: float) -> None:
    task = asyncio.ensure_future(anext(changes))
    done, _ = await asyncio.wait([task], timeout=seconds)
    assert not done
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def table(database: Database) -> TableKeystore:
    keystore = TableKeystore(database.dsn)
    await keystore.create()
    return keystore


async def test_a_table_tells_by_notifications(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keystore_listener, "HEARTBEAT", 3600)  # so that nothing else can have told it
    keystore, other = await table(database), TableKeystore(database.dsn)
    async with aclosing(keystore.changes()) as changes:
        await news(changes)  # the beginning
        for _ in range(3):
            await other.update(add_one)
            await news(changes)


async def test_a_keystore_of_another_schema_is_no_news(
    database18: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keystore_listener, "HEARTBEAT", 3600)
    keystore, other = await table(database18), TableKeystore(database18.dsn, "other")
    await other.create()
    async with aclosing(keystore.changes()) as changes:
        await news(changes)
        await other.update(add_one)
        await no_news(changes, 0.5)


async def test_a_table_is_polled_where_notifications_do_not_arrive(
    database18: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keystore_listener, "CHANNEL", "a_channel_that_others_do_not_use")
    monkeypatch.setattr(keystore_listener, "NOTIFY", "SELECT $1::text, $2::text")
    monkeypatch.setattr(keystore_listener, "_TRIAL", 0.01)
    keystore, other = await table(database18), TableKeystore(database18.dsn)
    async with aclosing(keystore.changes()) as changes:
        await news(changes)
        await other.update(add_one)
        await news(changes)


async def test_a_lost_connection_is_news_and_made_anew(
    database18: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keystore_listener, "RETRY", 0.01)
    keystore, other = await table(database18), TableKeystore(database18.dsn)
    async with aclosing(keystore.changes()) as changes:
        await news(changes)
        database18.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'pgveil keystore' AND pid <> pg_backend_pid()"
        )
        await news(changes)
        await other.update(add_one)
        await news(changes)


async def test_a_file_tells_of_changes_and_of_copies_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keystore_file, "WATCH_INTERVAL", 0.01)
    provider = LocalProvider(bytes(32))
    keystore: Keystore = FileKeystore(tmp_path / "keystore.json", provider)
    await keystore.create()
    async with aclosing(keystore.changes()) as changes:
        await news(changes)
        (record,) = await FileKeystore(tmp_path / "keystore.json", provider).update(add_one)
        await news(changes)
        copy = (tmp_path / "keystore.json").read_bytes()
        await keystore.count({record.id: 64})
        await news(changes)
        replace_file(tmp_path / "keystore.json", copy)
        await news(changes)
