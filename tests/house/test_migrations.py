"""The migrations add up to the tables, and can be run by two starts at once."""

import threading

import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from deploy.migrate import engine, migrate
from deploy.tables import METADATA, SCHEMAS


def test_the_migrations_add_up_to_the_tables(database_url: str) -> None:
    with engine(database_url).connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name in SCHEMAS,
                "compare_type": True,
                "compare_server_default": True,
                "target_metadata": METADATA,
            },
        )
        assert compare_metadata(context, METADATA) == []  # type: ignore[arg-type]


def test_what_may_never_stand_in_a_column_the_database_knows_too(database_url: str) -> None:
    """The comparison above looks at no check constraint."""
    with engine(database_url).connect() as connection:
        rows = connection.execute(
            sqlalchemy.text(
                "select n.nspname, t.relname, c.conname from pg_constraint c join pg_class t on t.oid = c.conrelid"
                " join pg_namespace n on n.oid = t.relnamespace where c.contype = 'c'"
            )
        )
        there = {(row[0], row[1], row[2]) for row in rows if row[0] in SCHEMAS}
    said = {
        (table.schema, table.name, check.name)
        for metadata in METADATA
        for table in metadata.sorted_tables
        for check in (*table.constraints, *(check for column in table.columns for check in column.constraints))
        if isinstance(check, sqlalchemy.CheckConstraint)
    }
    assert there == said


def test_two_starts_at_once_migrate_once(own_database_url: str) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        try:
            migrate(own_database_url)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
