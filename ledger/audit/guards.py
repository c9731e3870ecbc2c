"""Guards: the locks on the facts are in place, so that what is proved now cannot be unmade by a role of the house."""

from collections.abc import Iterable
from typing import Final

from ledger.audit.proving import Checks, Row, Scope
from ledger.schema import IMMUTABLE, metadata

check = Checks()

#: What a trigger must do, in the bits of pg_trigger.tgtype: before (2) delete (8), update (16) and truncate (32).
_REFUSES: Final = 2 | 8 | 16 | 32


@check(
    "facts_guarded",
    "every table of facts has its trigger, switched on, that refuses update, delete and truncate",
    over="table",
)
def facts_guarded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select wanted.name as table, coalesce(t.tgname, 'absent') as trigger, t.tgenabled::text as enabled
        from unnest(%(facts)s::text[]) as wanted(name)
        left join pg_class c on c.relname = wanted.name and c.relnamespace = 'ledger'::regnamespace
        left join pg_trigger t on t.tgrelid = c.oid and t.tgname = 'facts_stay'
        left join pg_proc p on p.oid = t.tgfoid
        where t.oid is null or t.tgenabled not in ('O', 'A') or t.tgtype & %(refuses)s <> %(refuses)s
            or t.tgqual is not null or p.pronamespace <> 'ledger'::regnamespace or p.proname <> 'refuse_change'
            or p.prosrc not like '%%raise exception%%restrict_violation%%'
        union all
        select 'every', 'passed over by session_replication_role',
            coalesce(s.setrole::regrole::text, '') || ' in ' || coalesce(d.datname, 'every database')
        from pg_db_role_setting s left join pg_database d on d.oid = s.setdatabase
        where (d.oid is null or d.datname = current_database())
            and exists (select from unnest(s.setconfig) as c(setting) where setting ilike 'session_replication_role=%%')
        order by 1
        """,
        facts=list(IMMUTABLE),
        refuses=_REFUSES,
    )


@check(
    "roles_bounded",
    "no role of the house may change or remove a fact, owns a table, or stands above the grants",
    over="table",
)
def roles_bounded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select r.rolname as role, 'ledger.' || f.name as on, p.name as may
        from pg_roles r
        cross join unnest(%(facts)s::text[]) as f(name)
        cross join (values ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('TRIGGER')) as p(name)
        where r.rolname like 'manex\\_%%' and has_table_privilege(r.oid, ('ledger.' || f.name)::regclass, p.name)
        union all
        select r.rolname, 'ledger.' || f.name, 'UPDATE of a column'
        from pg_roles r cross join unnest(%(facts)s::text[]) as f(name)
        where r.rolname like 'manex\\_%%' and not has_table_privilege(r.oid, ('ledger.' || f.name)::regclass, 'UPDATE')
            and has_any_column_privilege(r.oid, ('ledger.' || f.name)::regclass, 'UPDATE')
        union all
        select rolname, 'the database', 'everything' from pg_roles
        where rolname like 'manex\\_%%' and (rolsuper or rolbypassrls or rolreplication or rolcreaterole)
        union all
        select r.rolname, c.oid::regclass::text, 'everything: it owns it'
        from pg_class c join pg_roles r on r.oid = c.relowner
        where r.rolname like 'manex\\_%%' and c.relkind = 'r'
        """,
        facts=list(IMMUTABLE),
    )


@check("keys_in_place", "every primary key and unique rule of the ledger's tables is in place and valid", over="table")
def keys_in_place(scope: Scope) -> Iterable[Row]:
    wanted = [
        (table.name, str(constraint.name))
        for table in metadata.sorted_tables
        for constraint in table.constraints
        if constraint.name and constraint.__class__.__name__ in ("PrimaryKeyConstraint", "UniqueConstraint")
    ] + [(table.name, str(index.name)) for table in metadata.sorted_tables for index in table.indexes if index.unique]
    return scope.rows(
        """
        select wanted.on_table as table, wanted.name as key,
            case when i.indexrelid is null then 'absent' else 'not valid' end as why
        from unnest(%(tables)s::text[], %(names)s::text[]) as wanted(on_table, name)
        left join pg_class c on c.relname = wanted.name and c.relnamespace = 'ledger'::regnamespace
        left join pg_index i on i.indexrelid = c.oid and i.indrelid = ('ledger.' || wanted.on_table)::regclass
        where i.indexrelid is null or not (i.indisunique and i.indisvalid and i.indisready)
        """,
        tables=[table for table, _ in wanted],
        names=[name for _, name in wanted],
    )
