"""The book laid against a bank, a payment provider and tills, on a real database: found, matched, explained, put right."""

import datetime as dt
import threading
import time
from typing import Any
from uuid import UUID

import psycopg
import pytest

import ledger
import settlement
from settlement import reconciliation
from settlement.reconciliation import reconcile, store
from settlement.reconciliation.store import Placed
from tests.reconciliation.month import NOW, month
from tests.settlement.rails import bank
from tests.world import World

MAKER, APPROVER = UUID(int=1), UUID(int=2)


@pytest.fixture
def told(world: World) -> World:
    """Two shops and a member."""
    world.shop("cafe")
    world.shop("books")
    world.member("ann")
    return world


def claim(sale: Any, kind: str = "sale", **changes: Any) -> dict[str, Any]:
    """What a till says of a sale."""
    told = {
        "kind": kind,
        "external_reference": sale.command.external_reference,
        "amount": str(sale.command.total),
        "points": str(sale.points),
        "at": sale.at.isoformat(),
    }
    return told | {name: str(value) for name, value in changes.items()}


def of(world: World, table: str) -> str:
    """The till's reference of the one redemption or refund there is."""
    ((found,),) = world.rows(f"select external_reference from merchants.{table}")
    return str(found)


def bring(world: World, *rows: dict[str, Any], shop: str | None = "cafe", source: str = "till") -> reconciliation.Taken:
    merchant = world.shops[shop] if source == "till" and shop else None
    brought = reconciliation.file(world.book, source, rows, merchant)
    return reconciliation.bring(world.house.db, world.book_id, brought, merchant, "till")


def run(world: World) -> reconciliation.Done:
    return reconciliation.run(world.house.db, world.book_id)


def breaks(world: World, **asked: Any) -> list[reconciliation.Break]:
    with world.house.db.tx("door") as tx:
        return reconciliation.breaks(tx, world.book_id, **asked)


def found(world: World, state: str = "open") -> list[tuple[str, str, str]]:
    return sorted((b.source, b.type, b.owner) for b in breaks(world, state=state))


def everything(world: World) -> list[Any]:
    return [
        world.rows(f"select * from settlement.{table} order by 1, 2")
        for table in ("reconciled", "told_file", "told_line", "match", "match_leg", "break", "break_step")
    ]


# -- tills


def test_what_a_till_tells_rightly_is_matched_and_again_nothing_changes(told: World) -> None:
    sales = [told.sale("ann", "cafe", 1_000 + n) for n in range(5)]
    told.redeem("ann", "cafe", 20)
    told.refund(sales[0], 500)
    rows = [claim(sale) for sale in sales]
    rows.append({"kind": "redemption", "external_reference": of(told, "redemption"), "amount": "20",
                 "points": "20", "at": told.book.now.isoformat()})  # fmt: skip
    rows.append({"kind": "refund", "external_reference": of(told, "refund"), "amount": "500",
                 "original_reference": sales[0].command.external_reference, "at": told.book.now.isoformat()})  # fmt: skip
    assert bring(told, *rows).new
    told.advance(told.book.now + dt.timedelta(days=3))
    run(told)
    assert found(told) == []
    assert [(m[0], m[1]) for m in told.rows("select rule, confidence_ppm from settlement.match")] == [
        ("reference_and_amount", 1_000_000)
    ] * 7
    stood = everything(told)
    assert run(told) == reconciliation.Done()
    again = bring(told, *rows)
    assert (again.new, again.lines) == (False, 0)
    assert everything(told) == stood, "again, and the same file again, changes nothing"
    told.sale(None, "cafe", 300)
    assert run(told) == reconciliation.Done(taken=1), "a new record is all the new work there is"


def test_what_tills_and_book_tell_differently_is_a_break_of_its_type(told: World) -> None:
    good, dear, points, late = (told.sale("ann", "cafe", 1_000 * n) for n in range(1, 5))
    told.sale(None, "cafe", 700)
    day = dt.timedelta(days=1)
    orphan = {"kind": "refund", "external_reference": "F-1", "amount": "5", "original_reference": "NONE",
              "at": told.book.now.isoformat()}  # fmt: skip
    bring(
        told,
        claim(good),
        claim(good, at=(good.at + dt.timedelta(seconds=9)).isoformat()),
        claim(dear, amount=2_001),
        claim(points, points=1),
        claim(late, at=(late.at - 2 * day).isoformat()),
        claim(good, external_reference="GONE"),
        orphan,
    )
    told.advance(told.book.now + 3 * day)
    run(told)
    assert found(told) == sorted(
        ("till", type, "merchant")
        for type in ("amount", "duplicate", "late", "lot", "missing", "missing", "orphan_refund")
    )


def test_a_sale_recorded_behind_its_windows_end_is_in_the_wrong_window(told: World) -> None:
    rung = told.book.now
    told.later(hours=2)
    told.close_window()
    told.later(hours=1)
    bring(told, claim(told.sale("ann", "cafe", 1_000), at=rung.isoformat()))
    assert found(told) == [("till", "wrong_window", "merchant")]


def test_a_break_ends_by_itself_when_its_other_side_comes(told: World) -> None:
    sale, other = told.sale("ann", "cafe", 1_000), told.sale("ann", "cafe", 2_000)
    told.advance(told.book.now + dt.timedelta(days=2))
    run(told)
    assert breaks(told) == [], "of a shop whose tills tell nothing, nothing is missing"
    bring(told, claim(other))
    (missing,) = breaks(told)
    assert (missing.type, missing.amount_minor, missing.points) == ("missing", -1_000, -10)
    bring(told, claim(sale))
    (ended,) = breaks(told)
    assert (ended.id, ended.state, ended.ended_by) == (missing.id, "resolved", None)
    with told.house.db.tx("door") as tx:
        assert [s.step for s in reconciliation.steps(tx, ended.id)] == ["found", "no_longer_stands"]


def test_shops_that_count_alike_are_not_mistaken_for_each_other(told: World) -> None:
    sale = told.sale("ann", "cafe", 1_000, reference="S-77")
    other = told.sale("ann", "books", 2_000, reference="S-77")
    bring(told, claim(other), shop="cafe")
    bring(told, claim(other), shop="books")
    told.advance(told.book.now + dt.timedelta(days=2))
    run(told)
    (amount,) = breaks(told)
    assert (amount.type, amount.merchant_id, amount.amount_minor) == ("amount", told.shops["cafe"], 1_000)
    assert sale.id in amount.line_ids


# -- banks and the payment provider


def import_statement(world: World, *lines: dict[str, Any], id: str = "S1") -> None:
    """A bank's statement, taken in as the rails take it, and then laid against the book."""
    raw = bank.camt([bank.statement([bank.line(**line) for line in lines], id=id)])
    asker = settlement.windows.Asker(MAKER, "maker")
    house = world.house
    raw = raw.replace(b"USD", world.book.currency.encode())
    outcome = settlement.paying.take_statements(house.db, house.committer, world.book_id, raw=raw, asker=asker)
    assert isinstance(outcome.decision, ledger.Accepted), outcome
    reconciliation.run(house.db, world.book_id, sources=("bank",))


def test_what_the_bank_tells_is_laid_against_payments_and_top_ups(told: World) -> None:
    for through in ("bank", "psp"):
        told.do("topup", settlement.Topup(told.shops["cafe"], ledger.Minor(5_000), through, f"wire-{through}-2017"))
    (made,) = told.do("ask_topup", settlement.rails.AskTopup(told.shops["books"], "bank", 700)).made
    with told.house.db.tx("door") as tx:
        own = settlement.rails.store.Payee(
            told.book.operator_id, "bank", "the network", bank.IBAN, None, MAKER, None, told.book.now
        )
        settlement.rails.store.put_payee(tx, told.book_id, own)
    named = {"amount": 700, "end_to_end_id": made.hex, "bank_reference": "B7"}
    import_statement(
        told,
        {"amount": 5_000, "remittance": "incoming WIRE BANK 2017 thanks", "bank_reference": "B5"},
        {"amount": -4, "bank_reference": "B6"},
        named,
    )
    at = told.book.now.isoformat()
    bring(told, {"at": at, "amount": "4000", "reference": "WIRE-PSP-2017"}, source="psp")
    told.advance(told.book.now + dt.timedelta(days=7))
    run(told)
    rules = told.rows("select source, rule, confidence_ppm from settlement.match order by 2")
    assert rules == [("bank", "by_instruction", 1_000_000), ("bank", "reference_in_text", 960_000)]
    assert found(told) == [("bank", "unknown_beneficiary", "operator"), ("psp", "amount", "psp")]
    # the next statement tells the booking again: it is the same line
    import_statement(told, named, id="S2")
    assert told.rows("select count(*) from settlement.told_line where source = 'bank' and side = 'theirs'") == [(3,)]
    assert run(told) == reconciliation.Done()


@pytest.mark.parametrize("seed", [7, 11])
def test_a_planted_month_is_found_whole_in_two_halves(told: World, seed: int) -> None:
    """Half the lines, then the rest: matched and told as if they had come at once; and how fast."""
    made = month(seed, payments=600, payouts=10, sales=600)
    told.advance(NOW)
    lines = [line for source in ("bank", "psp") for line in made.lines[source]]
    with told.house.db.tx("settlement") as tx:
        for source in ("bank", "psp"):
            store.lock(tx, told.book_id, source)
            file = reconciliation.File(UUID(int=len(source)), source, source.encode(), made.lines[source])
            store.add_file(tx, told.book, file, merchant=None, actor="month")
        ours = [line for line in lines if line.side == "ours"]
        store.add_lines(tx, told.book_id, [Placed(line, n) for n, line in enumerate(ours)])
    theirs = [line for line in lines if line.side == "theirs"]
    for half in (theirs[::2], theirs[1::2]):
        with told.house.db.tx("settlement") as tx:
            store.add_lines(tx, told.book_id, [Placed(line, n) for n, line in enumerate(half)])
        began = time.perf_counter()
        run(told)
        print(f"{len(lines) / (time.perf_counter() - began):.0f} lines a second, stored")
    told_now = {(b.source, b.type, frozenset(b.line_ids)) for b in breaks(told, state="open", limit=10_000)}
    wanted = {planted for planted in made.planted if planted[0] != "till"}
    # whichever of two came first is the one that is matched
    assert {(s, t) for s, t, _ in told_now ^ wanted} <= {("bank", "duplicate")}
    assert len(told_now) == len(wanted)
    matched = {id for (ids,) in told.rows("select line_ids from settlement.match") for id in ids}
    clean = made.clean["bank"] | made.clean["psp"]
    assert len(matched & clean) >= 0.995 * len(clean)
    stood = everything(told)
    assert run(told) == reconciliation.Done()
    assert everything(told) == stood


def test_two_who_reconcile_at_once_do_it_once(told: World) -> None:
    sales = [told.sale("ann", "cafe", 1_000 + n) for n in range(30)]
    rows = [claim(sale) for sale in sales]
    brought = reconciliation.file(told.book, "till", rows, told.shops["cafe"])
    failures: list[BaseException] = []

    def bring_it() -> None:
        try:
            reconciliation.bring(told.house.db, told.book_id, brought, told.shops["cafe"], "till")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=bring_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert told.rows("select count(*) from settlement.match") == [(30,)]
    assert told.rows("select count(*) from settlement.told_file") == [(1,)]


def test_a_run_that_died_half_way_is_finished_by_the_next(told: World) -> None:
    """What was taken in is committed by itself: whoever comes next goes on from there."""
    first = told.sale("ann", "cafe", 1_000)
    bring(told, claim(first))
    rows = [claim(told.sale("ann", "cafe", 2_000 + n)) for n in range(4)]
    told.house.drain(told.book_id)
    reconcile._take(told.house.db, told.book_id, "till", 2)
    assert told.rows("select count(*) from settlement.match") == [(1,)]
    bring(told, *rows)
    assert told.rows("select count(*) from settlement.match") == [(5,)]
    assert told.rows("select count(*) from settlement.told_line where side = 'ours'") == [(5,)]


# -- the stream


@pytest.mark.parametrize(
    ("deed", "type"),
    [
        ("delete from settlement.item where kind = 'slice'", "missing"),
        ("update settlement.item set points = points + 1 where kind = 'slice'", "amount"),
        ("update settlement.item set lot_id = gen_random_uuid() where kind = 'slice'", "lot"),
        ("update settlement.item set window_number = 2 where kind = 'slice'", "wrong_window"),
        ("update settlement.item set ordinal = ordinal + 1; insert into settlement.item select gen_random_uuid(), book_id,"
         " window_number, sequence, 0, kind, reason, at, issuer_id, acceptor_id, subject_id, lot_id, funding,"
         " unit_value_minor, points, value_minor, fee_payer_id, fee_base_minor, fee_ppm, fee_millionths, contract_id"
         " from settlement.item", "duplicate"),
        ("update ledger.batch set first_sequence = first_sequence + 1 where id = (select max(id) from ledger.batch)",
         "missing"),
    ],
)  # fmt: skip
def test_what_was_derived_wrongly_from_the_stream_is_a_break(told: World, deed: str, type: str) -> None:
    told.sale("ann", "cafe", 5_000)
    told.redeem("ann", "books", 30)
    told.house.drain(told.book_id)
    with psycopg.connect(told.url, autocommit=True) as villain:
        villain.execute("set session_replication_role = replica")
        villain.execute(deed)
        if "first_sequence" in deed:
            villain.execute("update ledger.head set next_sequence = next_sequence + 1")
            villain.execute("update settlement.consumer set next_sequence = next_sequence + 1")
    reconciliation.run(told.house.db, told.book_id, sources=("stream",))
    assert ("stream", type, "operator") in found(told)


def test_an_honest_stream_has_no_breaks_and_is_looked_at_once(told: World) -> None:
    told.sale("ann", "cafe", 5_000)
    told.redeem("ann", "books", 30)
    assert reconciliation.run(told.house.db, told.book_id, sources=("stream",), chunk=2).taken == 1
    assert reconciliation.run(told.house.db, told.book_id, sources=("stream",)).taken == 0
    assert found(told) == []


# -- by hand


def test_a_person_matches_splits_and_matches_again(told: World) -> None:
    sale = told.sale("ann", "cafe", 1_000)
    bring(told, claim(sale, external_reference="ANOTHER"))
    told.advance(told.book.now + dt.timedelta(days=2))
    run(told)
    assert [b.type for b in breaks(told)] == ["missing", "missing"]
    (theirs,) = [id for (id,) in told.rows("select id from settlement.told_line where side = 'theirs'")]
    db = told.house.db

    def match(**more: Any) -> Any:
        asked: dict[str, Any] = {"ours": [sale.id], "theirs": [theirs], "by": MAKER, "reason": "mistyped"} | more
        return reconciliation.match(db, told.book_id, **asked)

    made = match()
    assert (made.rule, made.made_by, made.reason) == ("by_hand", MAKER, "mistyped")
    assert match().id == made.id, "asked again, it is there"
    assert {b.state for b in breaks(told)} == {"resolved"}
    split = reconciliation.split(db, made.id, by=MAKER, reason="no, it is another")
    assert isinstance(split, reconciliation.MatchRow)
    assert (split.state, split.split_by) == ("split", MAKER)
    run(told)
    assert [b.state for b in breaks(told)] == ["open", "open"], "they stand again"
    assert match().id != made.id
    for refused, code in (
        (match(ours=[theirs], theirs=[sale.id]), "validation_failed"),
        (match(ours=[UUID(int=9)]), "not_found"),
        (match(theirs=[]), "validation_failed"),
        (match(ours=[sale.id, sale.id]), "validation_failed"),
    ):
        assert refused.code == code


def test_what_a_person_took_apart_no_rule_joins_again(told: World) -> None:
    bring(told, claim(told.sale("ann", "cafe", 1_000)))
    ((id,),) = told.rows("select id from settlement.match")
    told.advance(told.book.now + dt.timedelta(days=2))
    reconciliation.split(told.house.db, id, by=MAKER, reason="another receipt of that number")
    run(told)
    assert told.rows("select state from settlement.match") == [("split",)]
    assert found(told) == [("till", "missing", "merchant")] * 2


def test_nothing_is_approved_for_a_break_that_no_longer_stands(told: World) -> None:
    sale = told.sale("ann", "cafe", 1_000)
    bring(told, claim(sale, amount=1_500))
    (row,) = breaks(told)
    asked = settlement.ProposeForBreak(row.id, MAKER, told.shops["cafe"], 500, "the till is right")
    proposed = told.do("adjustment", asked)
    bring(told, claim(sale))
    assert [b.state for b in breaks(told, type="amount")] == ["resolved"]
    approval = settlement.DecideAdjustment(1, APPROVER, proposed.id, True)
    assert told.refusal("adjustment_decision", approval) == "state_conflict"
    assert (
        told.do("adjustment_decision", settlement.DecideAdjustment(1, APPROVER, proposed.id, False)).state == "rejected"
    )


def test_a_match_never_explains_money_away(told: World) -> None:
    sale = told.sale("ann", "cafe", 1_000)
    bring(told, claim(sale, amount=999))
    (theirs,) = [id for (id,) in told.rows("select id from settlement.told_line where side = 'theirs'")]
    refused = reconciliation.match(
        told.house.db, told.book_id, ours=[sale.id], theirs=[theirs], by=MAKER, reason="nearly"
    )
    assert isinstance(refused, ledger.Refusal)
    assert (refused.code, refused.detail[:27]) == ("state_conflict", "ours come to 1000, theirs t")


def test_a_break_is_explained_merged_and_resolved_and_its_lines_are_left_alone(told: World) -> None:
    for n in range(2):
        told.sale(None, "cafe", 1_000 + n)
    bring(told, claim(told.sale(None, "cafe", 2_000)))
    told.advance(told.book.now + dt.timedelta(days=2))
    run(told)
    first, second = breaks(told)
    db = told.house.db
    assert reconciliation.explain(db, first.id, by=MAKER, reason="the till was replaced").state == "explained"  # type: ignore[union-attr]
    merged = reconciliation.merge(db, first.id, others=[second.id], by=MAKER, reason="one till")
    assert isinstance(merged, reconciliation.Break)
    assert set(merged.line_ids) == {*first.line_ids, *second.line_ids}
    run(told)
    assert sorted(b.state for b in breaks(told)) == ["explained", "resolved"], "the next run leaves it so"
    resolved = reconciliation.resolve(db, first.id, by=APPROVER, reason="its journal is lost")
    assert isinstance(resolved, reconciliation.Break)
    assert reconciliation.resolve(db, first.id, by=APPROVER, reason="its journal is lost") == resolved
    again = reconciliation.resolve(db, first.id, by=MAKER, reason="another reason")
    assert isinstance(again, ledger.Refusal)
    assert told.rows("select state, count(*) from settlement.told_line group by 1 order by 1") == [
        ("matched", 2),
        ("set_aside", 2),
    ]
    assert run(told) == reconciliation.Done()
    with db.tx("door") as tx:
        steps = [(s.step, s.by, s.reason) for s in reconciliation.steps(tx, first.id)]
    assert steps == [
        ("found", None, "ask_the_other_side"),
        ("explained", MAKER, "the till was replaced"),
        ("merged_with_others", MAKER, "one till"),
        ("resolved", APPROVER, "its journal is lost"),
    ]


# -- adjustments


def test_an_adjustment_takes_two_people_and_leaves_their_records(told: World) -> None:
    sale = told.sale("ann", "cafe", 1_000)
    bring(told, claim(sale, amount=1_500))
    (row,) = breaks(told)
    cafe, db = told.shops["cafe"], told.house.db
    proposal = settlement.ProposeForBreak(row.id, MAKER, cafe, 500, "the till is right")
    key = "adjust-once-0000000000000"
    proposed = told.do("adjustment", proposal, key=key)
    assert told.ask("adjustment", proposal, key=key).replayed

    def decide(id: UUID, by: UUID, approves: bool) -> settlement.DecideAdjustment:
        return settlement.DecideAdjustment(1, by, id, approves)

    table = [
        ("adjustment", proposal, "state_conflict"),
        ("adjustment", settlement.ProposeForBreak(UUID(int=7), MAKER, cafe, 500, "x"), "not_found"),
        (
            "adjustment",
            settlement.ProposeForBreak(row.id, MAKER, told.shops["books"], 500, "x"),
            "validation_failed",
        ),
        ("adjustment", settlement.ProposeForBreak(row.id, MAKER, cafe, 0, "x"), "validation_failed"),
        ("adjustment_decision", decide(proposed.id, MAKER, True), "self_approval_forbidden"),
        ("adjustment_decision", decide(UUID(int=7), APPROVER, True), "not_found"),
    ]
    for kind, body, code in table:
        assert told.refusal(kind, body) == code, body
    early = reconciliation.resolve(db, row.id, by=MAKER, reason="done")
    assert isinstance(early, ledger.Refusal), "not before it is decided"
    assert told.do("adjustment_decision", decide(proposed.id, APPROVER, True)).state == "approved"
    assert told.refusal("adjustment_decision", decide(proposed.id, APPROVER, True)) == "state_conflict"
    assert told.refusal("adjustment_decision", decide(proposed.id, APPROVER, False)) == "state_conflict"
    resolved = reconciliation.resolve(db, row.id, by=MAKER, reason="adjusted")
    assert isinstance(resolved, reconciliation.Break)
    assert told.rows("select kind from ledger.record where id = %s", resolved.record_id) == [("adjustment",)]
    run(told)
    assert told.rows(
        "select reason, value_minor, issuer_id, acceptor_id from settlement.item where kind = 'adjustment'"
    ) == [("adjustment", 500, told.book.operator_id, cafe)], "it is settled with the window that is open"
    kinds = told.rows("select kind, payload ->> 'amount_minor' from ledger.record where subject_id = %s order by batch_id",
                      proposed.id)  # fmt: skip
    assert kinds == [("adjustment_proposed", "500"), ("adjustment", "500")]
    assert told.audit() == []


def test_of_two_who_decide_at_once_one_is_first(told: World) -> None:
    sale = told.sale("ann", "cafe", 1_000)
    bring(told, claim(sale, amount=1_500))
    (row,) = breaks(told)
    proposal = settlement.ProposeForBreak(row.id, MAKER, told.shops["cafe"], 500, "the till is right")
    proposed = told.do("adjustment", proposal)
    outcomes: list[Any] = []

    def decide(by: UUID, approves: bool) -> None:
        body = settlement.DecideAdjustment(1, by, proposed.id, approves)
        outcomes.append(told.ask("adjustment_decision", body).decision)

    threads = [threading.Thread(target=decide, args=(UUID(int=n), n % 2 == 0)) for n in range(2, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(outcome, ledger.Accepted) for outcome in outcomes) == 1


# -- files


@pytest.mark.parametrize(
    ("text", "line", "code"),
    [
        ("", 1, "bad_header"),
        ("kind,amount,at\n", 1, "bad_header"),
        ("kind,kind,external_reference,amount,at\n", 1, "bad_header"),
        ("kind,external_reference,amount,at,phone\n", 1, "unknown_column"),
        ("kind,external_reference,amount,at\n", 2, "empty_file"),
        ("kind,external_reference,amount,at\nsale,A,1\n", 2, "bad_row"),
        ('kind,external_reference,amount,at\nsale,"A"x,1,2017-01-01T00:00:00Z\n', 2, "bad_csv"),
        ("kind,external_reference,amount,at\ngift,A,1,2017-01-01T00:00:00Z\n", 2, "bad_kind"),
        ("kind,external_reference,amount,at\nsale,,1,2017-01-01T00:00:00Z\n", 2, "missing_external_reference"),
        ("kind,external_reference,amount,at\nsale,A,1.5,2017-01-01T00:00:00Z\n", 2, "bad_amount"),
        ("kind,external_reference,amount,at\nsale,A,-1,2017-01-01T00:00:00Z\n", 2, "bad_amount"),
        ("kind,external_reference,amount,at\nsale,A,\u0661,2017-01-01T00:00:00Z\n", 2, "bad_amount"),
        ("kind,external_reference,amount,at\nsale,A,1,2017-01-01\n", 2, "bad_at"),
        ("kind,external_reference,amount,at\nsale,A,1,2017-02-30T00:00:00Z\n", 2, "bad_at"),
        ("kind,external_reference,amount,at\nsale,A,1,0001-01-01T00:00:00Z\n", 2, "bad_at"),
        ("kind,external_reference,amount,at\nsale,A\u202eB,1,2017-01-01T00:00:00Z\n", 2, "unsafe_text"),
        (f"kind,external_reference,amount,at\nsale,{'A' * 201},1,2017-01-01T00:00:00Z\n", 2, "too_long"),
        ("kind,external_reference,amount,at\n" + "sale,A,1,2017-01-01T00:00:00Z\n" * 20_001, 20_002, "too_many_lines"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_whole_with_its_line(told: World, text: str, line: int, code: str) -> None:
    good = "kind,external_reference,amount,at\nsale,GOOD,1,2017-01-01T00:00:00Z\n"
    assert len(reconciliation.file(told.book, "till", reconciliation.read_csv(good, "till")).lines) == 1
    with pytest.raises(reconciliation.BadFile) as refused:
        reconciliation.file(told.book, "till", reconciliation.read_csv(text, "till"))
    assert (refused.value.line, refused.value.code) == (line, code)


def test_a_rebuild_leaves_reconciliation_as_it_is(told: World) -> None:
    sale = told.sale("ann", "cafe", 1_000)
    told.redeem("ann", "books", 5)
    bring(told, claim(sale, amount=1_500))
    run(told)
    stood = everything(told)
    settlement.rebuild(told.house.db, told.book_id)
    assert run(told) == reconciliation.Done()
    assert everything(told) == stood
