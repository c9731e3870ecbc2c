"""The whole book beside the plain model: every account, lot, hold, debt, sale and window."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import settlement
from deploy.simulate import settling
from deploy.simulate.plain import Plain
from deploy.simulate.real import Real
from deploy.simulate.sponsoring import told_bonuses


def differences(plain: Plain, real: Real) -> list[str]:
    """What the two do not agree on, each with what either says; empty when they agree on all."""
    found = [f"the model itself: {fault}" for fault in plain.faults()]
    for what, one, other in _sides(plain, real):
        for name in sorted(one.keys() | other.keys(), key=str):
            if one.get(name) != other.get(name):
                found.append(f"{what} {name}: model {one.get(name)}, ledger {other.get(name)}")
    return found


def _sides(plain: Plain, real: Real) -> Iterator[tuple[str, dict[Any, Any], dict[Any, Any]]]:
    book, names = real.book.id, real.names()
    with real.house.db.tx("auditor") as tx, tx.pipeline():
        accounts = tx.execute("select name, balance from ledger.account where book_id = %s and balance <> 0", [book])
        lots = tx.execute(
            "select id, member_id, issuer_id, funding, unit_value_minor, points, pending, remaining, held, returned,"
            " available_at, expires_at, grace_used from ledger.lot where book_id = %s",
            [book],
        )
        holds = tx.execute(
            "select h.id, h.member_id, h.acceptor_id, h.state, h.deadline, h.lot_ids, h.lot_points,"
            " coalesce(r.refunded_points, 0), r.consented_by from ledger.hold h left join merchants.redemption r on r.id = h.id where h.book_id = %s",
            [book],
        )
        debts = tx.execute(
            "select member_id, creditor_id, sale_id, closed_loop, points, remaining from ledger.debt"
            " where book_id = %s order by batch_id, n, id",
            [book],
        )
        sales = tx.execute(
            "select id, money_minor, points_earned, refunded_minor, points_taken_back from merchants.sale"
            " where book_id = %s",
            [book],
        )
        issuers = tx.execute(
            "select merchant_id, mode, unit_value_minor, suspended from ledger.issuer where book_id = %s", [book]
        )
        bonuses = tx.execute(
            "select sale_id, giver_id, issuer_id, lot_id, points, taken_back, returned from merchants.bonus"
            " where book_id = %s",
            [book],
        )
        sponsorships = tx.execute(
            "select id, merchant_id, state = 'ended' from merchants.sponsorship where book_id = %s", [book]
        )
        people = tx.execute(
            "select h.id, h.kind, h.founder_id, h.state = 'ended', p.member_id, p.state, p.shared_points, p.own_points"
            " from merchants.household h join merchants.household_person p on p.household_id = h.id where h.book_id = %s",
            [book],
        )
        asked = tx.execute(
            "select id, merchant_id, member_id, points, value_minor, capture, deadline, state from merchants.approval"
            " where book_id = %s",
            [book],
        )
        found = [
            rows.fetchall()
            for rows in (accounts, lots, holds, debts, sales, issuers, bonuses, sponsorships, people, asked)
        ]
    sale_names = {id: label for label, id in real.sales.items()}
    hold_names = {id: label for label, id in real.redemptions.items()}

    def called(id: object) -> str:
        return names.get(str(id), str(id))

    def account(text: str) -> str:
        return ":".join(names.get(part, part) for part in text.split(":"))

    yield (
        "contract",
        {shop.name: (shop.contract.mode, shop.contract.unit) for shop in plain.shops.values() if shop.contract},
        {called(id): (mode, unit) for id, mode, unit, _ in found[5]},
    )
    yield (
        "suspended",
        {
            shop.name: shop.state == "suspended"
            for shop in plain.shops.values()
            if shop.contract and shop.state != "exited"
        },
        {called(id): held for id, _, _, held in found[5] if plain.shops[called(id)].state != "exited"},
    )
    yield (
        "account",
        {name: balance for name, balance in plain.accounts.items() if balance},
        {account(name): balance for name, balance in found[0]},
    )
    yield (
        "lot",
        {
            lot.name: (
                lot.member,
                lot.issuer,
                lot.funding,
                lot.unit,
                lot.points,
                lot.pending,
                lot.wallet,
                lot.held,
                lot.home,
                lot.available,
                lot.expires,
                lot.graced,
            )
            for lot in plain.lots
        },
        {real.lot(row[0]): (called(row[1]), called(row[2]), *row[3:]) for row in found[1]},
    )
    yield (
        "redemption",
        {
            hold.name: (
                hold.member,
                hold.shop,
                hold.state,
                hold.deadline,
                [(lot.name, part) for lot, part in hold.slices],
                hold.refunded,
                hold.by,
            )
            for hold in {hold.name: hold for hold in (*plain.holds.values(), *plain.vouchers.values())}.values()
        },
        {
            hold_names.get(row[0], str(row[0])): (
                called(row[1]),
                called(row[2]),
                row[3],
                row[4],
                [(real.lot(id), part) for id, part in zip(row[5], row[6], strict=True)],
                row[7],
                called(row[8]) if row[8] else None,
            )
            for row in found[2]
        },
    )
    yield (
        "debt",
        dict(enumerate((d.member, d.shop, d.sale, d.closed, d.points, d.left) for d in plain.debts)),
        dict(enumerate((called(m), called(c), sale_names.get(s, str(s)), *rest) for m, c, s, *rest in found[3])),
    )
    yield (
        "sale",
        {sale.name: (sale.money, sale.points, sale.refunded, sale.taken) for sale in plain.sales.values()},
        {sale_names.get(id, str(id)): tuple(rest) for id, *rest in found[4]},
    )
    yield (
        "bonus",
        told_bonuses(plain),
        {
            (sale_names.get(sale, str(sale)), called(sponsorship)): (called(sponsor), real.lot(lot), *rest)
            for sale, sponsorship, sponsor, lot, *rest in found[6]
        },
    )
    yield (
        "sponsorship",
        {each.name: (each.sponsor, each.ended) for each in plain.sponsorships.values()},
        {called(id): (called(sponsor), ended) for id, sponsor, ended in found[7]},
    )
    yield (
        "request for approval",
        {
            each.name: (each.shop, each.member, each.points, each.value, each.capture, each.deadline, each.state)
            for each in plain.asked.values()
        },
        {hold_names.get(id, str(id)): (called(shop), called(member), *rest) for id, shop, member, *rest in found[9]},
    )
    household_names = {id: label for label, id in real.households.items()}
    yield (
        "person",
        {
            (each.name, name): (each.kind, each.head, each.ended, person.state, person.shares, person.limit)
            for each in plain.households.values()
            for name, person in each.people.items()
        },
        {
            (household_names.get(id, str(id)), called(member)): (kind, called(head), ended, *rest)
            for id, kind, head, ended, member, *rest in found[8]
        },
    )


def differences_of_windows(plain: Plain, real: Real) -> list[str]:
    """What the stream made of it: each window's state, each party's position, exact fee and carry."""
    real.house.drain(real.book.id)
    names = real.names()
    found = []
    with real.house.db.tx("settlement") as tx:
        there = {window.number: window for window in settlement.list_windows(tx, real.book.id, limit=1_000)}
        rows = {number: settlement.positions(tx, real.book, number) for number in there}
    if sorted(there) != [window.number for window in plain.windows]:
        found.append(f"windows: model {[w.number for w in plain.windows]}, ledger {sorted(there)}")
    for window in plain.windows:
        other = there.get(window.number)
        if other is None:
            continue
        if other.state != window.state:
            found.append(f"window {window.number}: model {window.state}, ledger {other.state}")
        ours = {shop: (p.net, p.account, p) for shop, p in window.positions.items()}
        theirs = {
            names[str(row.position.party_id)]: (
                row.position.position_minor,
                row.position.account_minor,
                (
                    row.position.receivable_minor,
                    row.position.payable_minor,
                    row.position.backing_minor,
                    *row.position.fee,
                ),
            )
            for row in rows[window.number]
        }
        for shop in sorted(ours.keys() | theirs.keys()):
            if ours.get(shop) != theirs.get(shop):
                what = "the operator" if shop == settling.OPERATOR else shop
                found.append(
                    f"position of {what} in window {window.number}: model {ours.get(shop)}, ledger {theirs.get(shop)}"
                )
    return found


def differences_of_notices(plain: Plain, real: Real) -> list[str]:
    """Who was told of what expires, and when they were: each lot once a stage."""
    names = real.names()
    rows = real.rows(
        "select r.member_id, r.payload from ledger.record r where r.book_id = %s and r.kind = 'expiry_notice'",
        real.book.id,
    )
    theirs = Counter(
        (
            payload["days"],
            names[str(member)],
            frozenset(
                (real.lot(UUID(e["lot"])), e["points"], datetime.fromisoformat(e["expires_at"]))
                for e in payload["expiring"]
            ),
        )
        for member, payload in rows
    )
    ours = Counter(plain.notices)
    return [
        *(f"notice {notice}: the ledger told no such" for notice in ours - theirs),
        *(f"notice {notice}: the model knows no such" for notice in theirs - ours),
    ]
