"""Bring a database to the newest schema. One Alembic history; two starts at once wait for each other."""

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config

#: The advisory lock migrations take: "MNXM".
MIGRATION_LOCK = 0x4D4E584D


def engine(url: str) -> sqlalchemy.Engine:
    """A SQLAlchemy engine on a libpq connection string or URI."""
    import psycopg

    return sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=sqlalchemy.NullPool
    )


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return made


def migrate(url: str) -> None:
    """Apply what is missing, all or nothing."""
    with engine(url).connect() as connection:
        connection.execute(sqlalchemy.text("select pg_advisory_lock(:k)"), {"k": MIGRATION_LOCK})
        connection.commit()
        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
        connection.commit()
