"""Alembic: the shop's tables made by migrations that it writes itself, changed, and changed back."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from tests.integration.applications.policies import SHOP
from tests.integration.applications.shop.models import Base
from tests.integration.applications.watch import watched
from tests.postgres import Database
from tests.proxy_process import Veils

HERE = Path(__file__).parent


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_migrations(database18: Database, veil: Veils, tmp_path: Path, driver: str) -> None:
    """Autogenerate, upgrade, compare, upgrade, downgrade."""
    proxy = veil(database18, SHOP)
    engine = sa.create_engine(proxy.dsn().replace("postgresql:", f"postgresql+{driver}:"))
    database18.at_end.callback(engine.dispose)
    scripts = tmp_path / "alembic"
    shutil.copytree(HERE / "shop" / "alembic", scripts)
    (scripts / "versions").mkdir()
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    config.set_main_option("sqlalchemy.url", engine.url.render_as_string(hide_password=False))
    with watched(proxy):
        command.revision(config, "the first", autogenerate=True, rev_id="first")
        command.upgrade(config, "head")
        assert difference(engine) == []
        with engine.begin() as connection:
            row = {"email": "kanarie", "rank": "kanarie top", "notes": "kanarie", "document": None}
            connection.execute(sa.insert(Base.metadata.tables["customers"]), row)
        shutil.copy(scripts / "second.py", scripts / "versions")
        command.upgrade(config, "head")
        assert read(engine, "level, joined, name") == ("kanarie top", dt.date(1973, 3, 31), None)
        assert set(difference(engine)) >= {"add_column", "remove_column", "modify_type", "modify_nullable"}
        command.downgrade(config, "first")
        assert difference(engine) == ["modify_type"]  # a name may still be as long as it was
        assert read(engine, "rank, notes") == ("kanarie top", "kanarie")
        command.downgrade(config, "base")
    assert sa.inspect(engine).get_table_names() == ["alembic_version"]


def difference(engine: sa.Engine) -> list[str]:
    """The kinds of what autogenerate would write."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        found = compare_metadata(context, Base.metadata)
        return [change[0] if isinstance(change, tuple) else change[0][0] for change in found]


def read(engine: sa.Engine, columns: str) -> tuple[object, ...]:
    with engine.connect() as connection:
        return tuple(connection.execute(sa.text(f"SELECT {columns} FROM customers")).one())
