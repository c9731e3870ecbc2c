"""A spend in part rewrites no index of a lot; a balance that others move meanwhile is held to its floor when it is written."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute(
        "alter table ledger.lot add column open boolean not null generated always as (remaining > 0 or pending > 0) stored,"
        " add column unripe boolean not null generated always as (pending > 0) stored"
    )
    for index in ("lot_of_member", "lot_expiring", "lot_to_expire", "lot_maturing"):
        op.execute(f"drop index ledger.{index}")
    op.execute("create index lot_of_member on ledger.lot (member_id) where open")
    op.execute("create index lot_to_expire on ledger.lot (book_id, expires_at, id) where open")
    op.execute("create index lot_maturing on ledger.lot (book_id, available_at) where unripe")
    op.execute(
        """
        create function ledger.floor_crossed(account bigint) returns bigint language plpgsql as $$
        begin
            raise exception 'account % would fall below its floor: another batch took from it', account
                using errcode = 'serialization_failure';
        end $$
        """
    )
