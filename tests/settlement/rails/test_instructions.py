"""Instructions: who is paid, by what, how often (once), and what the world outside may say of it."""

import threading
from typing import Any
from uuid import UUID

import pytest

import ledger
import settlement
from ledger import Accepted
from ledger.errors import NotFound, StateConflict
from settlement import rails
from settlement.rails import Instruction, Word, instructions, paying
from settlement.rails.banks import BadFile
from tests.settlement.conftest import World, decided
from tests.settlement.rails import bank

FRENCH = "FR1420041010050500013M02606"
DANISH = "DK5000400440116243"


@pytest.fixture
def posted(world: World) -> World:
    """Window 1 is posted: the cafe owes 3,000, the grocer gets 2,000 and the tailor 1,000."""
    world.sql("update ledger.book set currency = 'USD', exponent = 2")
    world.shop("cafe", "deferred")
    for name, account in (("grocer", FRENCH), ("tailor", DANISH)):
        world.shop(name, "deferred")
        payee(world, name, account)
    own_account(world)
    world.earn("ann", at="cafe", points=100, money_minor=10_000)
    world.redeem("ann", at="grocer", points=20)
    world.redeem("ann", at="tailor", points=10)
    world.fund()
    return world


def payee(world: World, shop: str, account: str, rail: str = "bank", *, approved: bool = True) -> None:
    with world.db.tx("door") as tx:
        made = rails.store.Payee(
            world.shops[shop].id, rail, f"{shop} Ltd", account, None, world.maker, None, world.book.now
        )
        rails.store.put_payee(tx, world.book_id, made)
        if approved:
            rails.store.approve_payee(tx, world.shops[shop].id, rail, world.checker)


def own_account(world: World) -> None:
    with world.db.tx("door") as tx:
        own = rails.store.Payee(world.operator, "bank", "Network", bank.IBAN, None, world.maker, None, world.book.now)
        rails.store.put_payee(tx, world.book_id, own)


def instruct(world: World, rail: str = "bank", number: int = 1, key: str | None = None) -> Any:
    asker = world.asker(world.maker, key)
    outcome = decided(paying.instruct(world.db, world.committer, world.book_id, number=number, rail=rail, asker=asker))
    return outcome.value if isinstance(outcome, Accepted) else outcome


def all_of(world: World, number: int = 1) -> dict[tuple[str, str], Instruction]:
    """By shop and direction, the last of each."""
    names = {shop.id: name for name, shop in world.shops.items()}
    found = world.read(rails.store.of_window, world.book_id, number)
    return {(names[each.merchant_id], each.direction): each for each in found}


def states(world: World, number: int = 1) -> dict[tuple[str, str], str]:
    return {name: each.state for name, each in all_of(world, number).items()}


def say(world: World, id: UUID, said: str, **more: Any) -> Any:
    word = Word(id, said, **more)  # type: ignore[arg-type]
    return decided(paying.say(world.db, world.committer, world.book_id, word, world.asker(world.maker)))


def statements(world: World, raw: bytes) -> Any:
    asker = world.asker(world.maker)
    return decided(paying.take_statements(world.db, world.committer, world.book_id, raw=raw, asker=asker))


def report(world: World, raw: bytes) -> Any:
    asker = world.asker(world.maker)
    return decided(paying.take_report(world.db, world.committer, world.book_id, raw=raw, asker=asker))


def file(world: World, id: UUID) -> bytes:
    return world.read(paying.payment_file, id)


def credit(of: Instruction, amount: int | None = None, **more: Any) -> Any:
    return bank.line(of.amount_minor if amount is None else amount, end_to_end_id=of.id.hex, **more)


def debit(of: Instruction, **more: Any) -> Any:
    return bank.line(-of.amount_minor, end_to_end_id=of.id.hex, **more)


def paid_in(world: World) -> None:
    assert isinstance(world.pay(shop="cafe"), Accepted)


def test_a_window_is_paid_by_files_alone(posted: World) -> None:
    first = instruct(posted)
    assert (len(first.made), first.file_id) == (1, None)
    pay_in = all_of(posted)["cafe", "pay_in"]
    taken = statements(posted, bank.camt([bank.statement([credit(pay_in, bank_reference="B1")])]))
    assert taken.value.outcomes == {"confirmed": 1}
    assert posted.balance("position", "cafe", 1) == 0
    assert posted.balance("due", "cafe", 1) == 0
    made = instruct(posted)
    ordered = file(posted, made.file_id)
    assert file(posted, made.file_id) == ordered
    assert {(account, amount) for _, account, amount, _ in bank.payments(ordered)} == {(FRENCH, 2_000), (DANISH, 1_000)}
    assert bank.message_id(ordered) == made.file_id.hex
    told = {reference: "ACSC" for reference, *_ in bank.payments(ordered)}
    assert report(posted, bank.report(made.file_id.hex, told)).value.outcomes == {"confirmed": 2}
    assert posted.window().state == "settled"
    assert posted.balance("bank") == 0
    before = posted.snapshot()
    settlement.rebuild(posted.db, posted.book_id)
    assert posted.snapshot() == before
    posted.identities()


def test_nobody_is_instructed_twice(posted: World) -> None:
    paid_in(posted)
    first = instruct(posted)
    assert len(first.made) == 2
    again = instruct(posted)
    assert (again.made, again.file_id, again.without_account) == ((), None, ())
    assert posted.pay() == StateConflict("window", "being paid by instructions")
    assert posted.pay(shop="grocer") == StateConflict("position", "being paid by an instruction")
    assert posted.balance("position", "grocer", 1) == 2_000


def test_an_account_that_one_person_set_is_not_paid(posted: World) -> None:
    paid_in(posted)
    payee(posted, "grocer", DANISH, approved=False)
    made = instruct(posted)
    assert made.without_account == (posted.shops["grocer"].id,)
    assert set(all_of(posted)) == {("tailor", "pay_out")}
    assert isinstance(posted.pay(shop="grocer"), Accepted)


def test_what_is_refused_when_instructing(posted: World) -> None:
    assert instruct(posted, "stripe") == StateConflict("window", "waiting for pay-ins")
    assert instruct(posted, number=2) == StateConflict("window", "open")
    assert instruct(posted, number=9) == NotFound("window")
    posted.sql("delete from settlement.payee where merchant_id = %s", [posted.operator])
    assert instruct(posted) == StateConflict("network's bank account", "not set")


def test_a_payment_the_bank_rejects_is_made_anew_and_one_that_comes_back_as_well(posted: World) -> None:
    paid_in(posted)
    made = instruct(posted)
    grocer, tailor = (all_of(posted)[name, "pay_out"] for name in ("grocer", "tailor"))
    raw = bank.report(made.file_id.hex, {grocer.id.hex: "RJCT", tailor.id.hex: "ACSC"}, reason="AC04")
    assert report(posted, raw).value.outcomes == {"refused": 1, "confirmed": 1}
    refused = posted.read(rails.store.instruction, grocer.id)
    assert refused is not None
    assert (refused.state, refused.reason) == ("refused", "AC04")
    again = instruct(posted)
    assert again.file_id not in (None, made.file_id)
    (ordered,) = bank.payments(file(posted, again.file_id))
    assert ordered[1:3] == (FRENCH, 2_000)
    assert ordered[0] != grocer.id.hex
    new = all_of(posted)["grocer", "pay_out"]
    taken = statements(posted, bank.camt([bank.statement([debit(new, bank_reference="B7")], opening=2_000)]))
    assert taken.value.outcomes == {"confirmed": 1}
    assert posted.window().state == "settled"
    back = bank.line(2_000, end_to_end_id=new.id.hex, bank_reference="B8", returned=True)
    assert statements(posted, bank.camt([bank.statement([back], id="2")])).value.outcomes == {"returned": 1}
    assert posted.window().state == "paying"
    assert posted.balance("position", "grocer", 1) == 2_000
    third = instruct(posted)
    assert len(third.made) == 1
    assert isinstance(say(posted, third.made[0], "confirmed"), Accepted)
    assert posted.window().state == "settled"
    assert [e.payload["amount_minor"] for e in posted.events("payment_returned")] == [2_000]
    before = posted.snapshot()
    settlement.rebuild(posted.db, posted.book_id)
    assert posted.snapshot() == before
    posted.identities()


def test_a_file_is_taken_in_once(posted: World) -> None:
    paid_in(posted)
    made = instruct(posted)
    grocer, tailor = (all_of(posted)[name, "pay_out"] for name in ("grocer", "tailor"))
    raw = bank.report(made.file_id.hex, {grocer.id.hex: "ACSC"})
    assert isinstance(report(posted, raw), Accepted)
    assert report(posted, raw).code == "duplicate_reference"
    other = bank.report(made.file_id.hex, {tailor.id.hex: "ACSC"})
    assert report(posted, other).code == "duplicate_reference"  # the same name again
    assert states(posted)["tailor", "pay_out"] == "made"
    lines = [debit(tailor, bank_reference="B1")]
    whole = bank.camt([bank.statement(lines, opening=9_000)])
    assert isinstance(statements(posted, whole), Accepted)
    assert statements(posted, whole).code == "duplicate_reference"
    # the statement again in another file, with more beside it
    more = bank.camt([bank.statement([], id="other"), bank.statement(lines, opening=9_000)])
    assert statements(posted, more).code == "duplicate_reference"
    assert len(posted.read(rails.store.statements, posted.book_id)) == 1
    assert len(posted.events("payment")) == 3


def test_a_booking_told_in_two_files_counts_once_and_a_second_payment_is_for_people(posted: World) -> None:
    instruct(posted)
    pay_in = all_of(posted)["cafe", "pay_in"]
    line = credit(pay_in, bank_reference="B1")
    assert statements(posted, bank.camt([bank.statement([line])], kind="054")).value.outcomes == {"confirmed": 1}
    twice = [line, credit(pay_in, bank_reference="B2")]
    taken = statements(posted, bank.camt([bank.statement(twice)]))
    assert taken.value.outcomes == {"known": 1, "differs": 1}
    kept = posted.read(rails.store.lines, taken.value.statements[0])
    assert [(each.outcome, each.instruction_id) for _, each in kept] == [("known", pay_in.id), ("differs", pay_in.id)]
    assert len(posted.events("payment")) == 1


def test_what_does_not_fit_exactly_is_kept_and_books_nothing(posted: World) -> None:
    instruct(posted)
    pay_in = all_of(posted)["cafe", "pay_in"]
    lines = [
        credit(pay_in, pay_in.amount_minor - 1),
        credit(pay_in, pay_in.amount_minor, returned=True),
        debit(pay_in),
        bank.line(3_000, remittance=f"for {pay_in.id.hex}"),
        bank.line(3_000, end_to_end_id=ledger.ids.new().hex),
        bank.line(3_000, end_to_end_id=pay_in.id.hex + "0"),
    ]
    taken = statements(posted, bank.camt([bank.statement(lines)]))
    assert taken.value.outcomes == {"differs": 3}
    assert posted.events("payment") == []
    assert posted.balance("bank") == 0


def test_a_pay_in_that_a_person_booked_already_is_not_booked_again(posted: World) -> None:
    instruct(posted)
    pay_in = all_of(posted)["cafe", "pay_in"]
    paid_in(posted)
    taken = statements(posted, bank.camt([bank.statement([credit(pay_in)])]))
    assert taken.value.outcomes == {"differs": 1}
    assert posted.balance("bank") == -3_000


def test_a_top_up_that_names_our_reference_is_credited(posted: World) -> None:
    asked = rails.AskTopup(posted.shops["cafe"].id, "bank", 7_000)
    (id,) = posted.ask("ask_topup", asked).decision.value.made  # type: ignore[union-attr]
    line = bank.line(7_000, structured_reference=id.hex.upper(), bank_reference="B1")
    assert statements(posted, bank.camt([bank.statement([line])])).value.outcomes == {"confirmed": 1}
    assert posted.balance("prefund", "cafe") == 7_000
    (event,) = posted.events("topup")
    assert (event.payload["instruction"], event.payload["reference"]) == (str(id), "B1")


def test_a_file_of_another_account_or_for_another_network_is_refused_whole(posted: World) -> None:
    instruct(posted)
    pay_in = all_of(posted)["cafe", "pay_in"]
    other = bank.camt([bank.statement([credit(pay_in)])]).replace(bank.IBAN.encode(), FRENCH.encode())
    assert statements(posted, other).fault == "account_differs"
    two = bank.camt([bank.statement([credit(pay_in)]), bank.statement([], id="2")])
    at = two.rindex(bank.IBAN.encode())
    mixed = two[:at] + FRENCH.encode() + two[at + len(bank.IBAN) :]
    assert statements(posted, mixed).fault == "account_differs"
    assert report(posted, bank.report("f" * 32, {pay_in.id.hex: "ACSC"})).fault == "not_ours"
    paid_in(posted)
    made = instruct(posted)
    grocer = all_of(posted)["grocer", "pay_out"]
    strange = bank.report(made.file_id.hex, {grocer.id.hex: "ACSC", pay_in.id.hex: "ACSC"})
    assert report(posted, strange).fault == "not_ours"
    assert states(posted)["grocer", "pay_out"] == "made"
    with pytest.raises(BadFile):
        statements(posted, b"<a>")
    assert posted.sql("select count(*) from settlement.bank_file") == [(0,)]
    assert posted.sql("select count(*) from settlement.bank_line") == [(0,)]


#: (direction, state, word) -> the state it leads to; None: it contradicts what is on record.
WORDS = {
    ("pay_out", "made", "accepted"): "sent",
    ("pay_out", "made", "confirmed"): "confirmed",
    ("pay_out", "unknown", "confirmed"): "confirmed",
    ("pay_out", "sent", "refused"): "refused",
    ("pay_out", "made", "returned"): "returned",
    ("pay_out", "confirmed", "accepted"): "confirmed",
    ("pay_out", "confirmed", "confirmed"): "confirmed",
    ("pay_out", "confirmed", "refused"): None,
    ("pay_out", "confirmed", "returned"): "returned",
    ("pay_out", "refused", "confirmed"): None,
    ("pay_out", "refused", "refused"): "refused",
    ("pay_out", "refused", "returned"): None,
    ("pay_out", "returned", "confirmed"): "returned",
    ("pay_out", "returned", "returned"): "returned",
    ("topup", "refused", "confirmed"): "confirmed",
    ("topup", "confirmed", "refused"): "confirmed",
    ("pay_in", "sent", "confirmed"): "confirmed",
    ("pay_in", "made", "returned"): None,
}


@pytest.mark.parametrize("case", WORDS)
def test_a_word_leads_where_it_may(case: tuple[str, str, str]) -> None:
    direction, state, said = case
    base = dict.fromkeys(Instruction.__slots__, None) | {"direction": direction, "state": state}
    step = instructions.step(Instruction(**base), said)  # type: ignore[arg-type]
    assert (step.state if step else None) == WORDS[case]


def test_one_file_sent_by_many_at_once_counts_once(posted: World) -> None:
    instruct(posted)
    pay_in = all_of(posted)["cafe", "pay_in"]
    raw = bank.camt([bank.statement([credit(pay_in, bank_reference="B1")])])
    committers = [posted.committer, *(posted.another_committer() for _ in range(3))]
    together, outcomes = threading.Barrier(len(committers)), []

    def send(committer: ledger.Committer) -> None:
        together.wait()
        asker = posted.asker(posted.maker)
        outcomes.append(paying.take_statements(posted.db, committer, posted.book_id, raw=raw, asker=asker))

    threads = [threading.Thread(target=send, args=(each,)) for each in committers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(decided(each).__class__.__name__ for each in outcomes) == ["Accepted", *["AlreadyTaken"] * 3]
    assert len(posted.events("payment")) == 1
    assert posted.sql("select count(*) from settlement.bank_line") == [(1,)]


def test_one_window_instructed_by_many_at_once_is_instructed_once(posted: World) -> None:
    paid_in(posted)
    committers = [posted.committer, *(posted.another_committer() for _ in range(3))]
    together = threading.Barrier(len(committers))

    def ask(committer: ledger.Committer) -> None:
        together.wait()
        asker = posted.asker(posted.maker)
        paying.instruct(posted.db, committer, posted.book_id, number=1, rail="bank", asker=asker)

    threads = [threading.Thread(target=ask, args=(each,)) for each in committers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(posted.read(rails.store.of_window, posted.book_id, 1)) == 2
    assert len(posted.read(rails.store.payout_files, posted.book_id, 1)) == 1
