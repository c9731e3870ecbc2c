"""A shop that has not paid in, when banks tell what is paid: the same is booked as on a person's word, and no more goes out."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

import ledger
import settlement
from ledger.errors import StateConflict
from settlement import proof, rails
from settlement.rails import paying
from tests.audit import failing
from tests.settlement import proving
from tests.settlement.rails import bank
from tests.world import MAKER, World

ACCOUNTS = {"mill": "DE89370400440532013000", "cafe": "FR1420041010050500013M02606", "gym": "DK5000400440116243"}


@pytest.fixture
def mill(database_url: str) -> Iterator[World]:
    """The mill is covered with all there is: it owes 400 still, and 550 to who stood in for it."""
    world = failing.begun(database_url)
    with world.house.db.tx("door") as tx:
        for merchant, account in ((world.operator, bank.IBAN), *((world.shops[n], a) for n, a in ACCOUNTS.items())):
            payee = rails.store.Payee(merchant, "bank", "a shop", account, None, UUID(int=1), None, world.book.now)
            rails.store.put_payee(tx, world.book_id, payee)
            rails.store.approve_payee(tx, merchant, "bank", UUID(int=2))
    yield world
    assert world.audit() == []
    world.close()


def instruct(world: World) -> dict[str, rails.Instruction]:
    """By shop, those that live."""
    house = world.house
    outcome = paying.instruct(house.db, house.committer, world.book_id, number=1, rail="bank", asker=MAKER)
    assert isinstance(outcome.decision, ledger.Accepted), outcome
    names = {id: name for name, id in world.shops.items()}
    with house.db.tx("door") as tx:
        found = rails.store.of_window(tx, world.book_id, 1)
    return {names[each.merchant_id]: each for each in found if each.lives}


def say(world: World, id: UUID, said: str, **more: Any) -> Any:
    word = rails.Word(id, said, **more)  # type: ignore[arg-type]
    return paying.say(world.house.db, world.house.committer, world.book_id, word, MAKER).decision


def told(world: World, *lines: Any, id: str = "S1") -> dict[str, int]:
    raw = bank.camt([bank.statement(lines, id=id)]).replace(b"USD", world.book.currency.encode())
    house = world.house
    outcome = paying.take_statements(house.db, house.committer, world.book_id, raw=raw, asker=MAKER)
    assert isinstance(outcome.decision, ledger.Accepted), outcome
    return dict(outcome.decision.value.outcomes)


def state(world: World, id: UUID) -> str:
    with world.house.db.tx("door") as tx:
        found = rails.store.instruction(tx, id)
    assert found is not None
    return found.state


def test_instructions_pay_out_no_more_than_is_there_while_a_covered_shop_owes(mill: World) -> None:
    failing.cover(mill, 1, "mill")
    made = instruct(mill)
    assert {name: (each.direction, each.amount_minor) for name, each in made.items()} == {
        "mill": ("pay_in", 950),
        "cafe": ("pay_out", 360),
        "gym": ("pay_out", 240),
    }
    assert instruct(mill) == made
    for name in ("cafe", "gym"):
        assert isinstance(say(mill, made[name].id, "confirmed"), ledger.Accepted)
    assert instruct(mill).keys() == {"mill"}, "nothing more is there"
    credit = bank.line(950, end_to_end_id=made["mill"].id.hex, bank_reference="B1")
    assert told(mill, credit) == {"confirmed": 1}
    assert {n: each.amount_minor for n, each in instruct(mill).items()} == {"cafe": 240, "gym": 160}


def test_what_a_bank_says_a_covered_shop_paid_is_made_good_as_on_a_persons_word(mill: World) -> None:
    failing.cover(mill, 1, "mill")
    made = instruct(mill)["mill"]
    told(mill, bank.line(950, end_to_end_id=made.id.hex, bank_reference="B1"))
    ((payload,),) = mill.rows(
        "select payload from ledger.record where book_id = %s and kind = 'made_good'", mill.book_id
    )
    assert (payload["source"], payload["instruction"], payload["operator"]) == ("bank", str(made.id), None)
    assert (payload["position_minor"], payload["loss_minor"], payload["collateral_minor"]) == (400, 300, 250)
    assert (mill.account("collateral", "mill"), mill.account("loss"), mill.account("due", "mill", 1)) == (250, 300, 0)
    # told again it is booked once, and one who has paid owes nothing more
    word = say(mill, made.id, "confirmed")
    assert isinstance(word, ledger.Accepted)
    assert word.value.outcome == "known"
    again = failing.marked(mill, 1, merchant_id=mill.shops["mill"])
    assert again == StateConflict("position", "paid")
    assert settlement.check(mill.house.db, mill.book_id).differing == [], "derived again, it is the same"


def test_a_payout_by_a_bank_that_a_person_says_came_back_is_its_instructions_return(mill: World) -> None:
    failing.pay(mill, 1, "mill")
    made = instruct(mill)["gym"]
    say(mill, made.id, "confirmed")
    back = failing.returned(mill, 1, "gym")
    assert (back.amount_minor, back.open_minor, state(mill, made.id)) == (400, 400, "returned")
    ((reason, named),) = mill.rows(
        "select payload ->> 'reason', payload ->> 'instruction' from ledger.record where kind = 'payment_returned'"
    )
    assert (reason, named) == ("account closed", str(made.id))
    # the bank's own word of it comes later, and is nothing new
    line = bank.line(400, end_to_end_id=made.id.hex, bank_reference="B2", returned=True)
    assert told(mill, line) == {"known": 1}
    assert mill.account("position", "gym", 1) == 400
    assert instruct(mill)["gym"].id != made.id


def test_a_payout_that_a_bank_says_came_back_does_not_come_back_twice(mill: World) -> None:
    failing.pay(mill, 1, "mill")
    made = instruct(mill)["gym"]
    # the way out was never told: both are booked now
    told(mill, bank.line(400, end_to_end_id=made.id.hex, bank_reference="B2", returned=True))
    ((id,),) = mill.rows("select payment_record_id from settlement.instruction where id = %s", made.id)
    again = failing.asked(mill, settlement.ReturnPayment(1, failing.OPERATOR, id, "twice"))
    assert again == StateConflict("payment", "returned")
    assert mill.account("position", "gym", 1) == 400


def test_statements_with_shares_and_adjustments_prove_themselves_to_the_last_field(database_url: str) -> None:
    world = failing.lived(database_url)
    try:
        settlement.sealing.catch_up(world.house.db, world.book_id, proving.SEALING)
        shops = {name: SimpleNamespace(id=id) for name, id in world.shops.items()}
        told = SimpleNamespace(db=world.house.db, book_id=world.book_id, shops=shops)
        reasons = set()
        for number in (2, 3):
            for shop in ("cafe", "gym"):
                document = proving.signed(told, shop, number)
                proof.statement.verify(document)
                reasons |= {item["reason"] for item in document["items"] if item["kind"] == "adjustment"}
                stood = [what for what, changed in proving.altered(document) if holds(changed)]
                assert stood == []
        assert reasons == {"share", "adjustment"}
        assert world.audit() == []
    finally:
        world.close()


def holds(document: Any) -> bool:
    try:
        proof.statement.verify(document, {proving.SEALING.signer.x})
    except (proof.Fault, proof.Malformed):
        return False
    return True


def test_the_banks_lines_are_laid_against_instructions_one_by_one_and_a_file_booked_as_one(mill: World) -> None:
    failing.pay(mill, 1, "mill")
    made = instruct(mill)
    told(mill, bank.line(-made["gym"].amount_minor, end_to_end_id=made["gym"].id.hex, bank_reference="B1"))
    say(mill, made["cafe"].id, "confirmed")
    say(mill, made["cafe"].id, "returned")
    again = instruct(mill)["cafe"]
    assert again.file_id is not None
    say(mill, again.id, "confirmed")
    # what came back was never told by the bank; the second file it books as one, by the file's name
    told(mill, bank.line(-again.amount_minor, end_to_end_id=again.file_id.hex, bank_reference="B2"), id="S2")
    settlement.reconciliation.run(mill.house.db, mill.book_id, sources=("bank",))
    assert mill.rows("select rule, confidence_ppm from settlement.match order by rule") == [
        ("batch_net_of_fees", 980_000),
        ("by_instruction", 1_000_000),
    ]
    alone = mill.rows("select kind, amount_minor from settlement.told_line where state = 'open' order by amount_minor")
    assert ("payment_returned", 600) in alone
    assert ("payment", -600) in alone
    assert ("collateral_deposited", 250) in alone


def test_a_person_and_a_bank_who_say_at_once_that_a_payout_came_back_book_it_once(mill: World) -> None:
    failing.pay(mill, 1, "mill")
    made = instruct(mill)["gym"]
    say(mill, made.id, "confirmed")
    together, said = threading.Barrier(2), list[object]()

    def by_person() -> None:
        together.wait()
        said.append(failing.asked(mill, settlement.ReturnPayment(1, failing.OPERATOR, paid, "account closed")))

    def by_bank() -> None:
        together.wait()
        said.append(told(mill, bank.line(400, end_to_end_id=made.id.hex, bank_reference="B2", returned=True)))

    ((paid,),) = mill.rows("select payment_record_id from settlement.instruction where id = %s", made.id)
    threads = [threading.Thread(target=each) for each in (by_person, by_bank)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 2
    assert mill.rows("select count(*) from ledger.record where kind = 'payment_returned'") == [(1,)]
    assert (mill.account("position", "gym", 1), state(mill, made.id)) == (400, "returned")
