"""The audit of an honest world is clean; in a spoiled one it names the crime and the row."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg.rows import dict_row

import ledger.audit
import merchants.trade.audit
import settlement.audit

CHECKS = [*ledger.audit.CHECKS, *merchants.trade.audit.CHECKS, *settlement.audit.CHECKS]


class Crime(NamedTuple):
    """What was done, in SQL whose last statement returns what the finding must name, and the check that must see it."""

    caught_by: str
    deed: str
    sql: str


def of_kind(kind: str) -> str:
    """The entries of every account of a kind."""
    return f"account_id in (select id from ledger.account where kind = '{kind}')"


def account(kind: str) -> str:
    return f"(select id from ledger.account where kind = '{kind}' order by id limit 1)"


def first(kind: str, order: str = "batch_id, n") -> str:
    """The condition that picks one record of a kind."""
    return f"(batch_id, n) = (select batch_id, n from ledger.record where kind = '{kind}' order by {order} limit 1)"


#: Lots whose expiry their member's activity or a refund moved.
PROLONGED = (
    "(select (moved ->> 'lot')::uuid from ledger.record,"
    " jsonb_array_elements(coalesce(payload -> 'prolonged', payload -> 'graced')) moved"
    " where payload ?| array['prolonged', 'graced'])"
)

CRIMES = [
    # what members' purchases tell
    Crime(
        "segment_versions_stay",
        "a saved definition is rewritten",
        'update merchants.segment_version set definition = \'{"measure": "visits", "at_least": 1}\''
        " where version = 1 and segment_id = (select min(segment_id::text)::uuid from merchants.segment_version)"
        " returning segment_id as segment, version",
    ),
    Crime(
        "segment_versions_stay",
        "a version is taken out",
        "delete from merchants.segment_version where version = 1 and segment_id ="
        " (select max(segment_id::text)::uuid from merchants.segment_version) returning segment_id as segment",
    ),
    Crime(
        "segment_members_counted",
        "somebody who never bought there is slipped into a kept segment",
        "insert into merchants.segment_member select segment_id, version, gen_random_uuid(), book_id"
        " from merchants.segment_kept limit 1 returning member_id as member",
    ),
    Crime(
        "segment_members_counted",
        "a member is taken out of a kept segment",
        "delete from merchants.segment_member where member_id = (select min(member_id::text)::uuid"
        " from merchants.segment_member) returning segment_id as segment",
    ),
    Crime(
        "next_offers_own",
        "the first of a member's next offers is taken out",
        "delete from merchants.next_offer where rank = 1 and member_id ="
        " (select min(member_id::text)::uuid from merchants.next_offer) returning member_id as member",
    ),
    Crime(
        "next_offers_own",
        "a next offer is told of somebody else",
        "update merchants.next_offer set member_id = gen_random_uuid() where rank = 1 and member_id ="
        " (select max(member_id::text)::uuid from merchants.next_offer) returning member_id as member",
    ),
    # the locks on the facts
    Crime(
        "facts_guarded",
        "a trigger is switched off",
        "alter table ledger.entry disable trigger facts_stay; select 'entry' as table",
    ),
    Crime(
        "facts_guarded",
        "the trigger's function does nothing",
        "create or replace function ledger.refuse_change() returns trigger language plpgsql as"
        " 'begin return null; end'; select 'batch' as table",
    ),
    Crime(
        "facts_guarded",
        "the posting role's sessions pass triggers over",
        "alter role manex_ledger set session_replication_role = replica; select 'every' as table",
    ),
    Crime(
        "roles_bounded",
        "the posting role may rewrite records",
        "grant update on ledger.record to manex_ledger; select 'manex_ledger' as role, 'ledger.record' as on",
    ),
    Crime(
        "roles_bounded",
        "a door may change one column of entries",
        "grant update (amount) on ledger.entry to manex_door; select 'manex_door' as role, 'ledger.entry' as on",
    ),
    Crime(
        "keys_in_place",
        "the rule that a key has one outcome is dropped",
        "alter table ledger.outcome drop constraint outcome_pkey; select 'outcome_pkey' as key",
    ),
    # the sequence
    Crime(
        "sequence_gap_free",
        "a batch is moved away",
        "update ledger.batch set first_sequence = first_sequence + 1000 where id = (select max(id) from ledger.batch)"
        " returning id as batch",
    ),
    Crime(
        "sequence_gap_free",
        "the head runs ahead",
        "update ledger.head set next_sequence = next_sequence + 1 returning next_sequence as found",
    ),
    Crime(
        "batches_whole",
        "a record is removed",
        f"delete from ledger.record where {first('void')} returning batch_id as batch",
    ),
    Crime(
        "batches_whole",
        "a record is slipped in behind its batch",
        "insert into ledger.record select batch_id, 7, gen_random_uuid(), book_id, kind, at, actor, merchant_id,"
        f" member_id, subject_id, reverses_id, payload from ledger.record where {first('void')}"
        " returning batch_id as batch",
    ),
    Crime(
        "entries_belong",
        "entries without a record",
        f"insert into ledger.entry values (999999, 0, 0, {account('wallet')}, 'points', 5) returning batch_id as batch",
    ),
    Crime(
        "entries_belong",
        "one side of a record is removed",
        f"delete from ledger.entry where ordinal = 0 and {first('void')} returning batch_id as batch, n",
    ),
    Crime(
        "lot_moves_belong",
        "a lot is removed and its moves stay",
        "delete from ledger.lot where id = (select min(id::text)::uuid from ledger.lot) returning id as lot",
    ),
    Crime(
        "lot_moves_belong",
        "a record loses the first of its moves",
        f"delete from ledger.lot_move where ordinal = 0 and {first('hold')} returning batch_id as batch, n",
    ),
    Crime(
        "steps_taken_once",
        "a step of a window is forgotten",
        "delete from ledger.revision where revision = 2 returning subject_id as subject",
    ),
    # tiers
    Crime(
        "tiers_recorded",
        "a member is shown on a tier that no record tells of",
        "update merchants.tier_held set tier = 'gold' where tier = 'silver' and until is null returning id as tier_held",
    ),
    Crime(
        "tiers_recorded",
        "a change of tier is forgotten",
        "delete from merchants.tier_held where id = (select id from merchants.tier_held where until is null order by id"
        " limit 1) returning id as tier_held",
    ),
    Crime(
        "tiers_recorded",
        "a tier stands that was not told",
        "update merchants.standing set tier = 'vip' where tier = 'silver' returning member_id as member",
    ),
    Crime(
        "tiers_recorded",
        "a ladder's threshold is lowered behind its record",
        "update merchants.ladder set spec = jsonb_set(spec, '{tiers,0,requires}', '{\"all\": {\"visits\": 1}}')"
        " where version = 2 returning id as tier_held",
    ),
    Crime(
        "tiers_earned",
        "a member is put on a tier that was not reached, in every row there is",
        "update ledger.record set payload = payload || '{\"tier\": \"gold\"}' where kind = 'tier_changed'"
        " and payload ->> 'tier' = 'silver';"
        " update merchants.standing set tier = 'gold' where tier = 'silver';"
        " update merchants.tier_held set tier = 'gold' where tier = 'silver' returning member_id as member",
    ),
    Crime(
        "tiers_earned",
        "what a member bought is not looked at",
        "update merchants.standing set sequence = 1 where member_id = (select s.member_id from merchants.standing s"
        " join ledger.record r on r.member_id = s.member_id join ledger.batch b on b.id = r.batch_id"
        " join merchants.standing_place p on p.book_id = r.book_id where r.kind = 'sale'"
        " and b.first_sequence + r.n < p.next_sequence order by r.batch_id desc limit 1)"
        " returning member_id as member",
    ),
    # entitlements
    Crime(
        "entitlements_recorded",
        "a use is taken out of the count",
        "update merchants.entitlement set used = used - 1 where used > 1 returning id as entitlement",
    ),
    Crime(
        "entitlements_recorded",
        "a use is voided without a record",
        "update merchants.entitlement_use set voided_at = now() where external_reference = 'T-1'"
        " returning entitlement_id as entitlement",
    ),
    Crime(
        "entitlements_recorded",
        "a grant becomes larger",
        "update merchants.entitlement_grant set uses = 9 returning entitlement_id as entitlement",
    ),
    Crime(
        "entitlements_recorded",
        "a capacity is raised behind its record",
        "update merchants.entitlement set capacity = '{}' where capacity ? 'total' returning id as entitlement",
    ),
    Crime(
        "entitlements_within_capacity",
        "more places are used than there are",
        "update ledger.record set payload = jsonb_set(payload, '{capacity,total}', '2') where kind = 'entitlement'"
        " and payload -> 'capacity' ? 'total' returning subject_id as entitlement, 'total' as why",
    ),
    Crime(
        "entitlements_within_capacity",
        "a member uses more than a member may",
        "update ledger.record set member_id = (select member_id from merchants.entitlement_use"
        " where external_reference = 'M-1') where kind = 'entitlement_used' and payload ->> 'use' ="
        " (select id::text from merchants.entitlement_use where external_reference = 'M-3');"
        " select entitlement_id as entitlement, 'per_member' as why from merchants.entitlement_use"
        " where external_reference = 'M-3'",
    ),
    Crime(
        "entitlements_within_capacity",
        "a grant is used by another member",
        "update ledger.record set member_id = (select id from merchants.member order by id desc limit 1)"
        " where kind = 'entitlement_granted' returning subject_id as entitlement",
    ),
    # the chain
    Crime(
        "hash_chain",
        "a sale's total is rewritten",
        "update ledger.record set payload = payload || '{\"total_minor\": 1}'"
        f" where {first('sale')} returning batch_id as batch",
    ),
    Crime(
        "hash_chain",
        "another actor is blamed",
        f"update ledger.record set actor = 'somebody else' where {first('window_approved')} returning batch_id as batch",
    ),
    Crime(
        "hash_chain",
        "a record is said to have come later",
        f"update ledger.record set at = at + interval '1 microsecond' where {first('purchase')}"
        " returning batch_id as batch",
    ),
    Crime(
        "hash_chain",
        "an earn is given to another wallet",
        "update ledger.entry set account_id = (select max(id) from ledger.account where kind = 'wallet')"
        f" where {of_kind('wallet')} and {first('sale')} returning batch_id as batch",
    ),
    Crime(
        "hash_chain",
        "a move names another lot",
        "update ledger.lot_move set lot_id = (select max(id::text)::uuid from ledger.lot)"
        f" where {first('expiry')} and ordinal = 0 returning batch_id as batch",
    ),
    Crime("hash_chain", "the head forgets", "update ledger.head set hash = sha256('') returning 'head' as batch"),
    # value
    Crime(
        "records_balance",
        "a wallet gets a point more than was given",
        f"update ledger.entry set amount = amount + 1 where {of_kind('wallet')} and {first('sale')}"
        " returning batch_id as batch, n",
    ),
    Crime(
        "accounts_named",
        "a wallet may go below zero",
        f"update ledger.account set floor = -500 where id = {account('wallet')} returning id as account",
    ),
    Crime(
        "accounts_named",
        "an account of a kind nobody knows",
        "insert into ledger.account (book_id, name, kind, asset) values (1, 'slush', 'slush', 'money') returning id as account",
    ),
    Crime(
        "entry_assets",
        "points are booked as money",
        f"update ledger.entry set asset = 'money' where {first('void')} returning batch_id as batch",
    ),
    Crime(
        "balances_are_sums",
        "a balance is raised",
        f"update ledger.account set balance = balance + 5 where id = {account('wallet')} returning id as account",
    ),
    Crime(
        "books_sum_to_zero",
        "points out of nowhere",
        f"update ledger.account set balance = balance + 5 where id = {account('wallet')} returning asset",
    ),
    Crime(
        "floors_held",
        "points were bought with money that was not there yet",
        f"update ledger.entry set amount = amount / 10 where {first('topup')}; select {account('prefund')} as account",
    ),
    Crime(
        "credit_lines",
        "an issuer issued beyond its line",
        "update ledger.record set payload = payload || '{\"credit_line_points\": 400}'"
        " where kind = 'contract' and payload ->> 'mode' = 'deferred' returning merchant_id as issuer",
    ),
    Crime(
        "issuers_in_force",
        "an issuer's line is raised without a contract",
        "update ledger.issuer set credit_line_points = 5000 where mode = 'deferred' returning merchant_id as issuer",
    ),
    Crime(
        "issuers_in_force",
        "the floor of a credit account is lowered",
        "update ledger.account set floor = floor - 1 where kind = 'credit' and floor < 0 returning owner_id as issuer",
    ),
    Crime(
        "prefund_in_and_out",
        "a top-up says more than it moved",
        "update ledger.record set payload = payload || '{\"amount_minor\": 123456}' where kind = 'topup'"
        " returning id as record",
    ),
    # lots
    Crime(
        "lots_derived",
        "a lot is topped up",
        "update ledger.lot set remaining = remaining + 1 where id = (select min(id::text)::uuid from ledger.lot)"
        " returning id as lot",
    ),
    Crime(
        "lots_never_overdrawn",
        "a hold took more than the lot had",
        f"update ledger.lot_move set points = points + 1000 where {first('hold')} and ordinal = 0"
        " returning lot_id as lot, n",
    ),
    Crime(
        "lots_born_once",
        "a lot lives a year longer",
        "update ledger.lot set expires_at = expires_at + interval '1 year'"
        " where id = (select min(id::text)::uuid from ledger.lot) returning id as lot",
    ),
    Crime(
        "lots_born_once",
        "a lot is worth more than it was",
        "update ledger.lot set unit_value_minor = 2 where id = (select min(id::text)::uuid from ledger.lot)"
        " returning id as lot",
    ),
    Crime(
        "lots_born_once",
        "a lot that no record made",
        "update ledger.lot set id = gen_random_uuid() where id = (select min(id::text)::uuid from ledger.lot)"
        " returning id as lot",
    ),
    Crime(
        "lots_under_contract",
        "a lot is put under another contract",
        "update ledger.lot set contract_id = gen_random_uuid() where id = (select min(id::text)::uuid from ledger.lot)"
        " returning id as lot",
    ),
    Crime(
        "members_own_their_lots",
        "a lot is given to another member",
        "update ledger.lot set member_id = (select max(member_id::text)::uuid from ledger.lot)"
        " where id = (select id from ledger.lot where remaining > 0 order by member_id limit 1)"
        " returning member_id as member",
    ),
    Crime(
        "moves_match_entries",
        "a capture's points are said to be at another shop",
        "update ledger.lot_move m set merchant_id = gen_random_uuid() from ledger.record r where r.batch_id = m.batch_id"
        " and r.n = m.n and r.kind = 'capture' returning r.id as record",
    ),
    Crime(
        "expiry_respected",
        "points were spent after they expired",
        "update ledger.lot set expires_at = earned_at + interval '1 microsecond' where id ="
        " (select m.lot_id from ledger.lot_move m join ledger.record r on r.batch_id = m.batch_id and r.n = m.n"
        " join ledger.lot born on born.id = m.lot_id and born.earned_at < r.at"
        f" where r.kind = 'hold' and not m.lot_id in {PROLONGED} limit 1) returning id as lot",
    ),
    Crime(
        "expiry_respected",
        "points were taken before they expired",
        "update ledger.lot set expires_at = expires_at + interval '1 day' where id ="
        " (select m.lot_id from ledger.lot_move m join ledger.record r on r.batch_id = m.batch_id and r.n = m.n"
        f" where r.kind = 'expiry' and not m.lot_id in {PROLONGED} limit 1) returning id as lot",
    ),
    Crime(
        "wallets_in_order",
        "two batches change places",
        "alter table ledger.batch drop constraint batch_sequence;"
        " with pair as (select batch_id, member_id, lead(batch_id) over (order by batch_id) as next from ledger.record"
        " where kind = 'sale' and member_id in (select member_id from ledger.lot where n = 0 limit 1)),"
        " swap as (select a.id, b.first_sequence from pair join ledger.batch a on a.id in (pair.batch_id, pair.next)"
        " join ledger.batch b on b.id in (pair.batch_id, pair.next) and b.id <> a.id"
        " where pair.batch_id = (select min(batch_id) from pair))"
        " update ledger.batch b set first_sequence = swap.first_sequence from swap where b.id = swap.id;"
        " select member_id as member from ledger.lot where n = 0 limit 1",
    ),
    Crime(
        "soonest_expiry_first",
        "a lot that would have gone sooner was left",
        "update ledger.lot set expires_at = expires_at - interval '1 day' where funding = 'closed_loop'"
        " returning id as passed_over",
    ),
    # holds
    Crime(
        "holds_recorded",
        "a hold's deadline is put off",
        "update ledger.hold set deadline = deadline + interval '1 hour' where state = 'open' returning id as hold",
    ),
    Crime(
        "holds_recorded",
        "a hold's slice is unlike its lot",
        "update ledger.lot set unit_value_minor = 9 where id in (select lot_ids[1] from ledger.hold where state = 'open');"
        " select id as hold from ledger.hold where state = 'open'",
    ),
    Crime(
        "holds_end_once",
        "a captured hold is called voided",
        "update ledger.hold set state = 'voided' where id = (select id from ledger.hold where state = 'captured' limit 1)"
        " returning id as hold",
    ),
    Crime(
        "holds_end_once",
        "a hold is captured twice",
        "insert into ledger.record select batch_id, 9, gen_random_uuid(), book_id, kind, at, actor, merchant_id,"
        f" member_id, subject_id, reverses_id, payload from ledger.record where {first('capture')}"
        " returning subject_id as hold",
    ),
    Crime(
        "captures_in_time",
        "a hold was captured after its deadline",
        f"update ledger.record set at = at + interval '1 day' where {first('capture')} returning id as record",
    ),
    Crime(
        "holds_move_their_slices",
        "a capture took from another lot than was held",
        "update ledger.lot_move set lot_id = (select id from ledger.lot where funding = 'closed_loop' order by batch_id limit 1)"
        f" where {first('capture')} returning batch_id as batch, n",
    ),
    Crime(
        "endings_say_what_they_moved",
        "a capture goes without its fee",
        "update ledger.record set payload = payload || '{\"redemption_fee_ppm\": 0}'"
        f" where {first('capture')} returning id as record",
    ),
    Crime(
        "rests_given_back",
        "a hold that was no voucher is captured in part",
        "delete from merchants.voucher where id = (select subject_id from ledger.record where payload ->> 'rest_of' is not null"
        " limit 1) returning id as hold",
    ),
    Crime(
        "rests_given_back",
        "less comes back than was not spent",
        "update ledger.record set payload = payload || jsonb_build_object('points', (payload ->> 'points')::int - 1)"
        " where payload ->> 'rest_of' is not null returning id as record",
    ),
    Crime(
        "rests_given_back",
        "a hold's end is passed off as the rest of something",
        "update ledger.record set payload = payload || jsonb_build_object('rest_of', gen_random_uuid())"
        f" where {first('void')} returning id as record",
    ),
    Crime(
        "holds_end_once",
        "a voucher that was spent is lapsed as well",
        "insert into ledger.record select batch_id, 9, gen_random_uuid(), book_id, 'lapse', at, actor, merchant_id,"
        " member_id, subject_id, reverses_id, payload from ledger.record where payload ->> 'rest_of' is not null"
        " returning subject_id as hold",
    ),
    Crime(
        "holds_move_their_slices",
        "a voucher's capture took the last slice, its rest the first",
        "update ledger.lot_move m set lot_id = (select lot_ids[cardinality(lot_ids)] from ledger.hold h"
        " where h.id = r.subject_id) from ledger.record r where r.payload ->> 'spend' is not null and r.batch_id = m.batch_id"
        " and r.n = m.n and m.ordinal = 0 and (select cardinality(lot_ids) from ledger.hold h where h.id = r.subject_id) > 1"
        " returning m.batch_id as batch, m.n",
    ),
    Crime(
        "endings_say_what_they_moved",
        "a voucher's capture says more than was taken",
        "update ledger.record set payload = payload || jsonb_build_object('value_minor', (payload ->> 'value_minor')::int + 1)"
        " where payload ->> 'spend' is not null returning id as record",
    ),
    Crime(
        "redemptions_recorded",
        "a spend of a voucher has no redemption",
        "delete from merchants.redemption where consent = 'voucher' returning id as redemption",
    ),
    Crime(
        "approvals_recorded",
        "a request that was declined awaits an answer again",
        "update merchants.approval set state = 'awaiting' where state = 'declined' returning id as approval",
    ),
    Crime(
        "approvals_recorded",
        "a request that awaits is passed off as approved",
        "update merchants.approval set state = 'approved' where state = 'awaiting' returning id as approval",
    ),
    Crime(
        "approvals_recorded",
        "a request is for more than its member was told",
        "update merchants.approval set points = points + 1 where state = 'awaiting' returning id as approval",
    ),
    Crime(
        "approvals_recorded",
        "another key is passed off as the one that asked, and its limits counted",
        "update merchants.approval set asked_by = 'another' where state = 'awaiting' returning id as approval",
    ),
    Crime(
        "approvals_recorded",
        "a request is forgotten",
        "delete from merchants.approval where state = 'lapsed' returning id as approval",
    ),
    Crime(
        "approvals_recorded",
        "what was declined is withdrawn as well",
        "insert into ledger.record select batch_id, 9, gen_random_uuid(), book_id, 'approval_withdrawn', at, actor,"
        " merchant_id, member_id, subject_id, reverses_id, payload from ledger.record where kind = 'approval_declined'"
        " returning subject_id as approval",
    ),
    Crime(
        "approvals_took_what_was_asked",
        "a redemption with a code is passed off as approved",
        "update merchants.redemption set consent = 'wallet' where id = (select id from merchants.redemption"
        " where consent = 'code' order by batch_id limit 1) returning id as redemption",
    ),
    Crime(
        "approvals_took_what_was_asked",
        "more is taken than what was approved is worth",
        "update merchants.approval set value_minor = value_minor - 1 where state = 'approved' and value_minor is not null"
        " returning id as redemption",
    ),
    Crime(
        "approvals_took_what_was_asked",
        "points that were approved at one shop are taken under another reference",
        "update merchants.redemption set external_reference = 'another' where id = (select id from merchants.redemption"
        " where consent = 'wallet' order by batch_id limit 1) returning id as redemption",
    ),
    Crime(
        "vouchers_recorded",
        "a voucher is made out to another key",
        "update merchants.voucher set thumbprint = 'another' returning id as voucher",
    ),
    Crime(
        "vouchers_recorded",
        "an open voucher is forgotten",
        "delete from merchants.voucher where id in (select id from ledger.hold where state = 'open')"
        " returning id as voucher",
    ),
    Crime(
        "vouchers_recorded",
        "a voucher tells a till that its points are worth more",
        "update merchants.voucher set parts = '[[1, 1000000]]' returning id as voucher",
    ),
    Crime(
        "redemptions_refunded_exactly",
        "points that were never spent are refunded",
        "update merchants.redemption set points = points + 30 where consent = 'voucher' and refunded_points > 0"
        " returning id as redemption",
    ),
    Crime(
        "held_by_open_holds",
        "held points are let go without the hold",
        "update ledger.lot set held = 0, remaining = remaining + held where held > 0 returning id as lot",
    ),
    # identities
    Crime(
        "open_prefunded",
        "an earn is booked to another issuer's credit",
        f"update ledger.entry set account_id = {account('credit')} where {of_kind('pool')} and {first('sale')};"
        " select owner_id as issuer from ledger.account where kind = 'pool'",
    ),
    Crime(
        "open_deferred",
        "what an issuer owes is made smaller",
        f"update ledger.entry set account_id = {account('own')} where ({of_kind('credit')}) and amount = -300;"
        " select owner_id as issuer from ledger.account where kind = 'due'",
    ),
    Crime(
        "open_closed_loop",
        "closed-loop points turn into bought ones",
        f"update ledger.entry set account_id = {account('mint')} where {of_kind('own')} and amount < 0;"
        " select owner_id as issuer from ledger.account where kind = 'own'",
    ),
    Crime(
        "backing_covers",
        "money is taken out of the backing",
        f"update ledger.entry set account_id = {account('prefund')} where {of_kind('backing')} and {first('purchase')};"
        " select owner_id as issuer from ledger.account where kind = 'backing'",
    ),
    Crime(
        "debts_agree",
        "a member is said to owe what no entry tells",
        "insert into ledger.debt select gen_random_uuid(), book_id, member_id, issuer_id, gen_random_uuid(), false, 9, 9,"
        " batch_id, n from ledger.lot limit 1 returning member_id as member, creditor_id as creditor",
    ),
    # outcomes
    Crime(
        "keys_used_once",
        "a key has two outcomes",
        "alter table ledger.outcome drop constraint outcome_pkey;"
        " insert into ledger.outcome select * from ledger.outcome limit 1 returning key",
    ),
    Crime(
        "outcomes_told_again",
        "an outcome is spoiled",
        "update ledger.outcome set body = '\\xff' where key = (select min(key) from ledger.outcome) returning key",
    ),
    # sales and redemptions
    Crime(
        "sales_recorded",
        "a sale claims more points than were issued",
        "update merchants.sale set points_earned = points_earned + 1 where points_earned = 70 returning id as sale",
    ),
    Crime(
        "sales_recorded",
        "a sale is made to vanish",
        "delete from merchants.sale where id = (select id from merchants.sale where member_id is null limit 1) returning id as sale",
    ),
    Crime(
        "earned_by_rules",
        "a rule is made to give more than it gave",
        "update merchants.terms set rules = jsonb_set(rules, '{rules,0,effect,rate,points}', '2') where rules ? 'rules';"
        " select subject_id as sale from ledger.record where payload -> 'facts' ? 'past' order by batch_id, n limit 1",
    ),
    Crime(
        "earned_by_rules",
        "the line that earned is another's",
        "update merchants.sale set lines = jsonb_set(lines, '{0,category}', '\"toys\"') where id = (select subject_id"
        " from ledger.record where payload -> 'facts' ? 'past' order by batch_id desc, n desc limit 1) returning id as sale",
    ),
    Crime(
        "past_as_it_was",
        "a member's first purchase was never the first",
        "update ledger.record set payload = jsonb_set(payload, '{facts,past,first}', 'false') where (batch_id, n) ="
        " (select batch_id, n from ledger.record where payload -> 'facts' ? 'past' order by batch_id, n limit 1)"
        " returning subject_id as sale",
    ),
    Crime(
        "past_as_it_was",
        "a refund between two visits is taken out of the sequence",
        "update ledger.record set member_id = null where kind = 'refund' and subject_id in (select subject_id from"
        " ledger.record where payload -> 'facts' ? 'past'); select subject_id as sale from ledger.record where payload -> 'facts' ? 'past'"
        " order by batch_id desc, n desc limit 1",
    ),
    Crime(
        "tier_as_told",
        "a sale was decided on a tier that its member never had",
        "update ledger.record set payload = jsonb_set(payload, '{facts,tier}', '\"gold\"')"
        " where payload -> 'facts' ->> 'tier' = 'silver' returning subject_id as sale",
    ),
    Crime(
        "tier_as_told",
        "nothing tells of the tier that a sale was decided on",
        "delete from ledger.record where kind = 'tier_changed' and payload ->> 'tier' = 'silver' and member_id in"
        " (select member_id from ledger.record where payload -> 'facts' ->> 'tier' = 'silver');"
        " select subject_id as sale from ledger.record where payload -> 'facts' ->> 'tier' = 'silver'",
    ),
    Crime(
        "tier_as_told",
        "a sale had no tier long after one was told",
        "update ledger.record set at = at - interval '1 hour' where kind = 'tier_changed';"
        " update ledger.record set payload = jsonb_set(payload, '{facts,tier}', 'null')"
        " where payload -> 'facts' ->> 'tier' = 'silver' returning subject_id as sale",
    ),
    Crime(
        "facts_asked",
        "a sale tells of a wedding that no rule asked for",
        "update ledger.record set payload = jsonb_set(payload, '{facts,occasions}', '[\"wedding_anniversary\"]')"
        " where payload -> 'facts' ? 'occasions' returning subject_id as sale",
    ),
    Crime(
        "facts_asked",
        "a sale tells of a tier where no rule asked for any",
        "update ledger.record set payload = jsonb_set(payload, '{facts,tier}', '\"vip\"')"
        " where payload -> 'facts' ? 'past' returning subject_id as sale",
    ),
    Crime(
        "facts_asked",
        "a sale forgets in which segments its member was",
        "update ledger.record set payload = payload #- '{facts,segments}'"
        " where payload -> 'facts' ? 'segments' returning subject_id as sale",
    ),
    Crime(
        "segments_in_force",
        "rules ask for a version that nobody keeps",
        "update merchants.terms set rules = replace(rules::text, '@2', '@1')::jsonb where rules::text like '%@2%'"
        " returning id as rules",
    ),
    Crime(
        "segments_in_force",
        "a segment that rules ask for becomes another shop's",
        "update merchants.segment set merchant_id = gen_random_uuid() where merchant_id is null;"
        " select id as rules from merchants.terms where rules::text like '%@2%'",
    ),
    Crime(
        "occasions_remembered",
        "it is forgotten that a birthday was told",
        "delete from merchants.occasion_memory where removed_at is null returning member_id as member",
    ),
    Crime(
        "occasions_remembered",
        "a day that was taken back is kept",
        "update merchants.occasion_memory set removed_at = null, digest = null where removed_at is not null"
        " returning member_id as member",
    ),
    Crime(
        "sales_under_contract",
        "a sale goes without its purchase fee",
        "update ledger.record set payload = payload || '{\"purchase_fee_ppm\": 0}'"
        f" where {first('sale')} returning id as record",
    ),
    Crime(
        "redemptions_recorded",
        "a redemption is said to have been worth more",
        "update merchants.redemption set value_minor = value_minor + 1 where points = 100 returning id as redemption",
    ),
    Crime(
        "points_pay_once",
        "one redemption pays for two sales",
        "drop index merchants.sale_paid_by; update merchants.sale set redemption_id ="
        " (select redemption_id from merchants.sale where redemption_id is not null) where total_minor = 7000"
        " returning id as sale",
    ),
    Crime(
        "references_once",
        "two sales bear one receipt's number",
        "alter table merchants.sale drop constraint sale_reference;"
        " update merchants.sale set external_reference = 'X' where merchant_id ="
        " (select merchant_id from merchants.sale where member_id is null order by batch_id, n limit 1) returning external_reference as reference",
    ),
    # gifts
    Crime(
        "children_like_parents",
        "a lot that was given is worth more than its parent",
        "update ledger.lot set unit_value_minor = unit_value_minor + 1 where parent_id is not null and points = 3"
        " returning id as lot",
    ),
    Crime(
        "children_like_parents",
        "a lot that was given lives longer than its parent",
        "update ledger.lot set expires_at = expires_at + interval '1 day' where parent_id is not null and points = 3"
        " returning id as lot",
    ),
    Crime(
        "children_like_parents",
        "a lot that was given is another issuer's",
        "update ledger.lot set issuer_id = (select issuer_id from ledger.lot where funding = 'closed_loop' limit 1)"
        " where parent_id is not null and points = 3 returning id as lot",
    ),
    Crime(
        "lots_born_once",
        "the record of a gift tells of a lot that expires later",
        "update ledger.record set payload = jsonb_set(payload, '{lots,0,expires_at}', '\"2030-01-01T00:00:00+00:00\"')"
        f" where {first('gift')} returning batch_id as batch",
    ),
    Crime(
        "gifts_whole",
        "more was given than was got",
        f"update ledger.lot_move set points = points + 1 where {first('gift')} and target = 'given' and ordinal = 0"
        " returning batch_id as batch, n",
    ),
    Crime(
        "gifts_whole",
        "a gift went to another wallet than it says",
        "update ledger.record set payload = payload || jsonb_build_object('receiver',"
        f" (select max(member_id::text) from ledger.lot)) where {first('gift')} returning id as record",
    ),
    Crime(
        "gifts_never_return",
        "given points come back to who gave them",
        "update ledger.lot c set member_id = p.member_id from ledger.lot p where p.id = c.parent_id and c.points = 3"
        " returning c.id as lot",
    ),
    Crime(
        "gifts_never_return",
        "points come round to who gave them first",
        "update ledger.lot c set member_id = g.member_id from ledger.lot p join ledger.lot g on g.id = p.parent_id"
        " where p.id = c.parent_id returning c.id as lot",
    ),
    Crime(
        "gifts_told",
        "a receiver is told of more than there was",
        "update ledger.record set payload = payload || '{\"points\": 99}' where kind = 'gift_received'"
        " and payload ->> 'points' = '3' returning subject_id as gift",
    ),
    Crime(
        "gifts_told",
        "a gift vanishes from the list",
        "delete from merchants.gift where points = 25 returning id as gift",
    ),
    Crime(
        "gift_days_counted",
        "a day's gifts are forgotten",
        "update merchants.gift_day set gifts = 0 where gifts = 2 returning member_id as member",
    ),
    Crime(
        "gift_days_counted",
        "more was given than the network allows",
        "update ledger.record set payload = payload || '{\"received_a_day\": 20}' where kind = 'gift_rules';"
        f" select id as record from ledger.record where {first('gift')}",
    ),
    Crime(
        "soonest_expiry_first",
        "a gift passed over what would have gone sooner",
        "update ledger.lot set expires_at = expires_at - interval '1 hour' where id = (select id from ledger.lot where"
        " member_id = (select giver_id from merchants.gift where points = 25) and parent_id is null"
        " and batch_id < (select batch_id from merchants.gift where points = 25)"
        " order by batch_id desc limit 1) returning id as passed_over",
    ),
    Crime(
        "consents_lawful",
        "a stranger consented",
        "update ledger.record set payload = payload || jsonb_build_object('consented_by',"
        " (select receiver_id from merchants.gift where points = 3)) where payload ? 'consented_by'"
        " returning id as record",
    ),
    Crime(
        "consents_lawful",
        "the owner had not shared",
        "update ledger.record set payload = payload || '{\"monthly_points\": null}' where kind = 'household_sharing';"
        " select id as record from ledger.record where payload ? 'consented_by'",
    ),
    Crime(
        "household_limits_held",
        "another spent more than the owner let them",
        "update ledger.record set payload = payload || '{\"monthly_points\": 5}' where kind = 'household_sharing';"
        " select id as record from ledger.record where payload ? 'consented_by'",
    ),
    Crime(
        "redemptions_recorded",
        "a redemption hides who consented",
        "update merchants.redemption set consented_by = null where consented_by is not null returning id as redemption",
    ),
    Crime(
        "households_derived",
        "somebody is in a household that never asked them",
        "insert into merchants.household_person select id, (select receiver_id from merchants.gift where points = 3),"
        " 'active', null, null, 7 from merchants.household returning member_id as member",
    ),
    Crime(
        "households_derived",
        "a wallet is shared further than its owner said",
        "update merchants.household_person set shared_points = 1000 where shared_points is not null"
        " returning member_id as member",
    ),
    # settlement
    Crime(
        "consumer_within",
        "settlement says it has read what is not written",
        "update settlement.consumer set next_sequence = next_sequence + 100 returning next_sequence as consumed_up_to",
    ),
    # the stream over Kafka
    Crime(
        "relay_within",
        "the relay says it has published what is not written",
        "insert into ledger.relay select book_id, next_sequence + 100, 'topic', 6 from ledger.head"
        " returning next_sequence as published_up_to",
    ),
    Crime(
        "relay_within",
        "the relay stands before the first record",
        "insert into ledger.relay select book_id, -5, 'topic', 6 from ledger.head"
        " returning next_sequence as published_up_to",
    ),
    Crime(
        "partitions_of_one_topic",
        "a partition's place is lost",
        "insert into settlement.partition select id, n, 'topic', 7 from ledger.book, unnest(array[0, 2]) n"
        " returning 2 as last_partition",
    ),
    Crime(
        "partitions_of_one_topic",
        "a partition's place is of another topic",
        "insert into settlement.partition select id, n, 'topic' || n, 7 from ledger.book, unnest(array[0, 1]) n"
        " returning 2 as topics",
    ),
    Crime(
        "partitions_of_one_topic",
        "there are more partitions than are published into",
        "insert into ledger.relay select book_id, next_sequence, 'topic', 1 from ledger.head;"
        " insert into settlement.partition select id, n, 'topic', 7 from ledger.book, unnest(array[0, 1]) n"
        " returning 1 as published_into",
    ),
    Crime(
        "windows_contiguous",
        "a window ends a record early",
        "update settlement.window set last_sequence = last_sequence - 1 where number = 1 returning number as window",
    ),
    Crime(
        "windows_contiguous",
        "a window is frozen at another hash",
        "update settlement.window set ledger_hash = sha256('') where number = 2 returning number as window",
    ),
    Crime(
        "window_steps",
        "a window is called settled that nobody approved",
        "update settlement.window set state = 'settled' where number = 2 returning number as window",
    ),
    Crime(
        "window_steps",
        "an approval came without a submission",
        "update ledger.record set kind = 'window_returned' where kind = 'window_submitted'"
        " returning (payload ->> 'window')::int as window",
    ),
    Crime(
        "approved_by_another",
        "one person submits and approves",
        'update ledger.record set payload = payload || \'{"operator": "00000000-0000-0000-0000-000000000001"}\''
        " where kind = 'window_approved' returning (payload ->> 'window')::int as window",
    ),
    Crime(
        "approved_by_another",
        "other positions are approved than were submitted",
        'update ledger.record set payload = payload || \'{"positions_hash": "00"}\''
        " where kind = 'window_approved' returning (payload ->> 'window')::int as window",
    ),
    Crime(
        "settled_in_order",
        "a window is posted before its turn",
        "update ledger.record set payload = payload || '{\"window\": 2}' where kind = 'settlement' returning 2 as window",
    ),
    Crime(
        "items_derived",
        "an item is made larger",
        "update settlement.item set value_minor = value_minor + 1 where lot_id is not null and value_minor = 100"
        " returning sequence, ordinal",
    ),
    Crime(
        "items_derived",
        "an item is left out",
        "delete from settlement.item where sequence = (select min(sequence) from settlement.item)"
        " returning sequence, ordinal",
    ),
    Crime(
        "items_derived",
        "an item falls into another window",
        "update settlement.item set window_number = 2 where sequence = (select min(sequence) from settlement.item)"
        " returning sequence, ordinal",
    ),
    Crime(
        "contracts_derived",
        "settlement goes by a rate nobody agreed to",
        "update settlement.contract set facts = facts || '{\"redemption_fee_ppm\": 1}' where facts ->> 'mode' = 'deferred'"
        " returning id as contract",
    ),
    Crime(
        "positions_derived",
        "a position is raised",
        "update settlement.position set position_minor = position_minor + 1, account_minor = account_minor + 1"
        " where window_number = 1 and backing_minor > 0 returning window_number as window, party_id as party",
    ),
    Crime(
        "positions_derived",
        "a fee's remainder is dropped",
        "update settlement.position set carry_out_millionths = 0 where window_number = 1 and carry_out_millionths <> 0"
        " returning window_number as window, party_id as party",
    ),
    Crime(
        "positions_hashed",
        "the hash of what was advised is another",
        "update settlement.window set positions_hash = sha256('') where number = 2 returning number as window",
    ),
    Crime(
        "positions_hashed",
        "a window saves more than it did",
        "update settlement.window set totals = totals || '{\"multilateral_minor\": 0}' where number = 1"
        " returning number as window",
    ),
    Crime(
        "matrix_derived",
        "a debt between two shops is left out",
        "delete from settlement.bilateral where window_number = 1 and points > 0"
        " returning window_number as window, debtor_id as debtor, creditor_id as creditor",
    ),
    Crime(
        "statements_add_up",
        "a fee is rounded the other way",
        "update settlement.position set fee_minor = fee_minor + 1, position_minor = position_minor - 1"
        " where window_number = 1 and fee_minor > 0 returning window_number as window, party_id as party",
    ),
    Crime(
        "settlements_post_their_items",
        "a settlement books more fees than were due",
        f"update ledger.entry set amount = amount + 7 where {of_kind('fees')} and {first('settlement')};"
        " select 1 as window, 'fees' as account",
    ),
    Crime(
        "settlements_post_their_items",
        "a settlement leaves points at a shop",
        f"update ledger.entry set amount = amount + 7 where {of_kind('accepted')} and {first('settlement')};"
        " select 1 as window, 'accepted' as account",
    ),
    Crime(
        "positions_paid",
        "a payment is counted twice",
        "update settlement.payment set amount_minor = amount_minor * 2 where direction = 'pay_out' and source = 'bank'"
        " returning window_number as window, party_id as party",
    ),
    Crime(
        "payments_recorded",
        "a payment that no record tells",
        "insert into settlement.payment select gen_random_uuid(), book_id, window_number, party_id, sequence + 100,"
        " 'pay_in', 5, 'bank', at from settlement.payment limit 1 returning sequence, party_id as party",
    ),
    Crime(
        "accepted_not_settled",
        "a shop's accepted points are raised",
        "update ledger.account set balance = balance + 3 where id = (select max(id) from ledger.account"
        " where kind = 'accepted') returning owner_id as shop",
    ),
    # changes and exits
    Crime(
        "buy_outs_whole",
        "a buy-out is said to have cost less",
        "update ledger.record set payload = jsonb_set(payload, '{value_minor}', '1') where kind = 'buy_out'"
        " returning id as record",
    ),
    Crime(
        "buy_outs_whole",
        "a lot that no money stands for escaped the buy-out",
        "update ledger.lot_move m set points = m.points + 1 from ledger.lot l, ledger.record r where l.id = m.lot_id"
        " and m.source = 'home' and r.kind = 'exit' and l.issuer_id = r.merchant_id returning r.id as record",
    ),
    Crime(
        "values_change_between_windows",
        "a funding changes in the middle of a window",
        "update ledger.record set kind = 'void' where kind = 'window_closed' and batch_id = (select max(batch_id)"
        " from ledger.record where kind = 'window_closed');"
        "select id as record from ledger.record where kind = 'contract' and batch_id in (select batch_id from ledger.record"
        " where kind = 'rules') order by n limit 1",
    ),
    Crime(
        "agreements_kept",
        "what was agreed is forgotten",
        "delete from merchants.agreed returning record_id as record",
    ),
    Crime(
        "agreements_kept",
        "something comes into force that nobody agreed to",
        "update ledger.record set payload = payload - 'agreed' where kind = 'contract' and payload ? 'agreed';"
        "select id as record from ledger.record where kind = 'contract_agreed' order by batch_id limit 1",
    ),
    Crime(
        "issuers_in_force",
        "a shop that left issues again",
        "update ledger.issuer set exited = false where exited returning merchant_id as issuer",
    ),
    # refunds and debts
    Crime(
        "expiry_moved_lawfully",
        "a lot lives on without a refund that says so",
        "update ledger.lot set expires_at = expires_at + interval '1 day' where grace_used returning id as lot",
    ),
    Crime(
        "expiry_moved_lawfully",
        "a lot may have its grace again",
        "update ledger.lot set grace_used = false where grace_used returning id as lot",
    ),
    Crime(
        "expiry_moved_lawfully",
        "a member's activity is said to have prolonged a day more",
        "update ledger.record set payload = jsonb_set(payload, '{prolonged,0,expires_at}', '\"2030-01-01T00:00:00Z\"')"
        " where payload ? 'prolonged' and id = (select min(id::text)::uuid from ledger.record where payload ? 'prolonged')"
        " returning payload -> 'prolonged' -> 0 ->> 'lot' as lot",
    ),
    Crime(
        "active_members_keep_their_points",
        "an active member's points are let die",
        "update ledger.lot l set expires_at = t.expired_at from ledger.record r,"
        " jsonb_to_recordset(r.payload -> 'prolonged') as t(lot uuid, expired_at timestamptz)"
        " where r.id = (select max(id::text)::uuid from ledger.record where payload ? 'prolonged') and l.id = t.lot;"
        "update ledger.record set payload = payload - 'prolonged' where id = (select max(id::text)::uuid"
        " from ledger.record where payload ? 'prolonged')"
        " returning (select b.first_sequence from ledger.batch b where b.id = batch_id) + n as sequence",
    ),
    Crime(
        "noticed_once",
        "a member is told of the expiry of what is another's",
        "update ledger.record set payload = jsonb_set(payload, '{expiring,0,lot}', to_jsonb((select l.id from ledger.lot l"
        " where l.member_id <> ledger.record.member_id order by l.id limit 1)))"
        f" where {first('expiry_notice')} returning id as record",
    ),
    Crime(
        "noticed_once",
        "a member is told twice",
        "insert into ledger.record select batch_id, n + 100, gen_random_uuid(), book_id, kind, at, actor, merchant_id,"
        f" member_id, subject_id, reverses_id, payload from ledger.record where {first('expiry_notice')}"
        " returning payload -> 'expiring' -> 0 ->> 'lot' as lot",
    ),
    Crime(
        "expiry_respected",
        "points confirm before their time",
        f"update ledger.record set at = at - interval '1 day' where {first('maturity')} returning id as record",
    ),
    Crime(
        "lots_derived",
        "points came home that never did",
        "update ledger.lot set returned = returned + 1 where id = (select id from ledger.lot order by id limit 1)"
        " returning id as lot",
    ),
    Crime(
        "refunds_recorded",
        "a refund is said to be of less",
        "update merchants.refund set amount_minor = amount_minor - 1 where id = (select min(id::text)::uuid"
        " from merchants.refund) returning id as refund",
    ),
    Crime(
        "refunds_recorded",
        "a refund that no record tells",
        "insert into merchants.refund select gen_random_uuid(), book_id, merchant_id, sale_id, redemption_id, 'made up',"
        " occurred_at, at, amount_minor, points, owed_points, lines, batch_id, n from merchants.refund limit 1"
        " returning id as refund",
    ),
    Crime(
        "sales_refunded_exactly",
        "a refund takes a point more than its share",
        "update ledger.record set payload = jsonb_set(payload, '{points}', to_jsonb((payload ->> 'points')::int + 1))"
        f" where {first('refund')} returning subject_id as sale, id as record",
    ),
    Crime(
        "sales_refunded_exactly",
        "a sale forgets that it was refunded",
        "update merchants.sale set refunded_minor = 0 where refunded_minor > 0 returning id as sale",
    ),
    Crime(
        "sales_refunded_exactly",
        "a refund gives the fee back at another rate",
        "update ledger.record set payload = payload || '{\"purchase_fee_ppm\": 999}'"
        f" where {first('refund')} returning subject_id as sale, id as record",
    ),
    Crime(
        "refunds_take_what_is_there",
        "points that lay in the wallet are made owed",
        "update ledger.record set payload = payload || jsonb_build_object('owed', payload -> 'points', 'returned', 0)"
        f" where {first('refund')} returning id as record",
    ),
    Crime(
        "refunds_take_what_is_there",
        "a refund takes points of another sale",
        "update ledger.lot set sale_id = gen_random_uuid() where sale_id = (select subject_id from ledger.record"
        f" where {first('refund')}); select id as record from ledger.record where {first('refund')}",
    ),
    Crime(
        "redemptions_refunded_exactly",
        "a redemption forgets that it was refunded",
        "update merchants.redemption set refunded_points = 0 where refunded_points > 0 returning id as redemption",
    ),
    Crime(
        "redemptions_refunded_exactly",
        "a refund restores more than it says",
        "update ledger.lot_move set points = points + 1 where source = 'accepted' and"
        f" {first('redemption_refund')}; select id as record from ledger.record where {first('redemption_refund')}",
    ),
    Crime(
        "redemptions_refunded_exactly",
        "a refund gives the fee back at another rate",
        "update ledger.record set payload = payload || '{\"redemption_fee_ppm\": 999}'"
        f" where {first('redemption_refund')} returning id as record",
    ),
    Crime(
        "debts_derived",
        "a debt is forgiven",
        "update ledger.debt set remaining = 0 where id = (select id from ledger.debt where remaining > 0"
        " order by id limit 1) returning id as debt",
    ),
    Crime(
        "debts_derived",
        "a debt is owed to another shop",
        "update ledger.debt set creditor_id = gen_random_uuid() where id = (select min(id::text)::uuid from ledger.debt)"
        " returning id as debt",
    ),
    Crime(
        "repayments_lawful",
        "a repayment is worth more than its points",
        "update ledger.record set payload = payload || '{\"value_minor\": 9999}'"
        f" where {first('repayment')} returning id as record",
    ),
    Crime(
        "repayments_lawful",
        "a younger debt is repaid before an older one",
        "update ledger.debt set batch_id = 0 where id = (select id from ledger.debt where remaining > 0 and not"
        f" closed_loop order by batch_id desc limit 1); select id as record from ledger.record where {first('repayment')}",
    ),
    Crime(
        "repayments_lawful",
        "points repay a shop that they were not sent to",
        "update ledger.lot_move set merchant_id = gen_random_uuid()"
        f" where {first('repayment')}; select id as record from ledger.record where {first('repayment')}",
    ),
    # the rails
    Crime(
        "instructions_recorded",
        "an instruction pays a little more than its record says",
        "update settlement.instruction set amount_minor = amount_minor + 1 where id ="
        " (select min(id::text)::uuid from settlement.instruction) returning id as instruction",
    ),
    Crime(
        "instructions_recorded",
        "an instruction is forgotten",
        "delete from settlement.instruction where state = 'returned' returning id as instruction",
    ),
    Crime(
        "instructions_end_once",
        "one that was paid is to be paid again",
        "update settlement.instruction set state = 'made', payment_record_id = null where direction = 'pay_out'"
        " and state = 'confirmed' returning id as instruction",
    ),
    Crime(
        "instructions_end_once",
        "an instruction is paid twice",
        "insert into ledger.record select batch_id, n + 900, gen_random_uuid(), book_id, kind, at, actor, merchant_id,"
        " member_id, subject_id, reverses_id, payload from ledger.record where kind = 'payment'"
        " and payload ->> 'direction' = 'pay_out' and payload ? 'instruction';"
        " select (payload ->> 'instruction')::uuid as instruction from ledger.record where kind = 'payment'"
        " and payload ->> 'direction' = 'pay_out' and payload ? 'instruction' limit 1",
    ),
    Crime(
        "instructions_end_once",
        "one that was refused was paid",
        "update ledger.record set payload = payload || jsonb_build_object('instruction', (select id from"
        " settlement.instruction where state = 'refused' limit 1)) where kind = 'payment' and payload ->> 'direction' ="
        " 'pay_out' and payload ->> 'source' = 'bank';"
        " select id as instruction from settlement.instruction where state = 'refused' limit 1",
    ),
    Crime(
        "instructions_pay_what_they_say",
        "another sum is booked than was instructed",
        "update ledger.record set payload = payload || '{\"amount_minor\": 1}' where kind = 'payment'"
        " and payload ? 'instruction' returning id as record",
    ),
    Crime(
        "instructions_pay_what_they_say",
        "what a provider paid is booked at the bank",
        "update ledger.entry set account_id = (select id from ledger.account where kind = 'bank')"
        " where account_id = (select id from ledger.account where kind = 'psp') and (batch_id, n) in"
        " (select batch_id, n from ledger.record where kind = 'payment_returned');"
        " select id as record from ledger.record where kind = 'payment_returned' limit 1",
    ),
    Crime(
        "payments_have_instructions",
        "a provider paid, and nobody asked",
        "update ledger.record set payload = payload - 'instruction' where kind = 'payment'"
        " and payload ->> 'source' = 'psp' returning id as record",
    ),
    Crime(
        "payments_have_instructions",
        "a second instruction is made while the first lives",
        "delete from ledger.record where kind = 'instruction_refused'; select 'made while another lived' as why",
    ),
    Crime(
        "payout_files_whole",
        "an instruction goes from one file to another",
        "update settlement.instruction set file_id = (select max(id::text)::uuid from settlement.payout_file)"
        " where file_id = (select min(id::text)::uuid from settlement.payout_file)"
        " returning (select min(id::text)::uuid from settlement.payout_file) as file",
    ),
    Crime(
        "payout_files_whole",
        "a payment by the bank is in no file",
        "update settlement.instruction set file_id = null where direction = 'pay_out' and rail = 'bank'"
        " returning id as file",
    ),
    Crime(
        "bank_statements_add_up",
        "a line is lost",
        "delete from settlement.bank_line where amount_minor < 0 returning statement_id as statement",
    ),
    Crime(
        "bank_statements_add_up",
        "a line says another sum",
        "update settlement.bank_line set amount_minor = amount_minor + 1 where amount_minor > 0"
        " returning statement_id as statement",
    ),
    Crime(
        "payments_recorded",
        "a return is left out",
        "delete from settlement.payment where direction = 'returned' returning sequence",
    ),
    # the brakes
    Crime(
        "brakes_alternate",
        "a freeze is made a release",
        f"update ledger.record set kind = 'member_unfrozen' where {first('member_frozen')} returning id as record",
    ),
    Crime(
        "brakes_alternate",
        "an act is blamed on another operator",
        "update merchants.brake set operator_id = gen_random_uuid() where kind = 'branch_frozen'"
        " returning record_id as record",
    ),
    Crime(
        "brakes_alternate",
        "why nobody is told",
        "delete from merchants.brake where kind = 'merchant_suspended' returning record_id as record",
    ),
    Crime(
        "brakes_in_step",
        "a frozen member is let loose without a record",
        "update merchants.member set state = 'active' where state = 'frozen' returning id as subject, 'member' as what",
    ),
    Crime(
        "brakes_in_step",
        "a frozen branch is let loose",
        "update merchants.branch set state = 'active' where state = 'frozen' returning id as subject, 'branch' as what",
    ),
    Crime(
        "brakes_in_step",
        "the ledger forgets that an issuer is suspended",
        "update ledger.issuer set suspended = false where suspended returning merchant_id as subject",
    ),
    Crime(
        "brakes_in_step",
        "a network is stopped by nobody",
        "update ledger.book set stopped = true returning public_id as subject, 'book' as what",
    ),
    Crime(
        "no_hold_behind_a_brake",
        "points of a frozen member are set aside",
        "update ledger.record set member_id = (select id from merchants.member where state = 'frozen')"
        f" where {first('hold', 'batch_id desc, n desc')} returning id as record, subject_id as hold",
    ),
    Crime(
        "no_hold_behind_a_brake",
        "points are set aside at a frozen branch",
        "update merchants.redemption set branch_id = (select id from merchants.branch where state = 'frozen')"
        " where (batch_id, n) = (select batch_id, n from merchants.redemption order by batch_id desc, n desc limit 1)"
        " returning id as hold",
    ),
    Crime(
        "no_hold_behind_a_brake",
        "a hold is moved behind the suspension of its shop",
        "update ledger.record set merchant_id = (select merchant_id from ledger.record where kind = 'branch_frozen'),"
        f" subject_id = subject_id where {first('hold', 'batch_id desc, n desc')};"
        " update ledger.record set subject_id = merchant_id, kind = 'merchant_suspended' where kind = 'branch_frozen';"
        f" select id as record from ledger.record where {first('hold', 'batch_id desc, n desc')}",
    ),
    Crime(
        "no_earning_behind_a_brake",
        "a sale at a frozen branch earns",
        "update ledger.record set payload = payload || '{\"points\": 10}'"
        " where id = (select id from ledger.record where kind = 'sale' and payload ->> 'branch' in"
        " (select subject_id::text from ledger.record where kind = 'branch_frozen') order by batch_id desc, n desc limit 1)"
        " returning id as record, subject_id as sale",
    ),
    Crime(
        "nothing_while_stopped",
        "something lapses in a stopped network",
        "update ledger.record set kind = 'lapse' where kind = 'merchant_suspended' returning id as record",
    ),
    Crime(
        "velocity_limits_in_force",
        "a limit is raised by nobody",
        "update merchants.velocity_limit set most = most * 10 where what = 'redeem_points'"
        " returning what, most as in_force",
    ),
    Crime(
        "velocity_kept",
        "a redemption passes a limit",
        "update ledger.record set payload = payload || '{\"points\": 1001}'"
        f" where {first('hold', 'batch_id desc, n desc')} returning id as record",
    ),
    Crime(
        "velocity_kept",
        "what was below a limit is above one that was lower",
        "update ledger.record set payload = jsonb_set(payload, '{limits,1,most}', '4') where kind = 'velocity_limits'"
        f" returning 1; select id as record from ledger.record where {first('hold', 'batch_id desc, n desc')}",
    ),
    Crime(
        "velocity_kept",
        "what a member approved passes the limit of the key that asked",
        "update ledger.record set payload = jsonb_set(payload, '{limits,0,most}', '3') where kind = 'velocity_limits'"
        " and payload -> 'limits' -> 0 ->> 'subject' = 'key'"
        " returning 1; select id as record from ledger.record where kind = 'hold' and payload ? 'approval'"
        " order by batch_id desc limit 1",
    ),
    Crime(
        "velocity_limits_in_force",
        "a limit is taken off by nobody",
        "delete from merchants.velocity_limit where what = 'sale_count' returning what, most as recorded",
    ),
    # budgets and sponsors
    Crime(
        "budgets_told",
        "more is said to be set aside than was",
        "update ledger.record set payload = payload || '{\"points\": 9999}' where kind = 'budget_set' returning id as record",
    ),
    Crime(
        "budgets_told",
        "points are set aside of what others may issue",
        f"update ledger.entry set account_id = {account('mint')} where amount < 0 and {first('budget_set')};"
        f" select id as record from ledger.record where {first('budget_set')}",
    ),
    Crime(
        "budgets_told",
        "a budget pays for a redemption",
        f"update ledger.entry set account_id = {account('budget')} where amount < 0 and {first('capture')};"
        f" select id as record from ledger.record where {first('capture')}",
    ),
    Crime(
        "sponsorships_recorded",
        "an ended sponsorship is opened again",
        "update merchants.sponsorship set state = 'open' where state = 'ended' returning id as sponsorship",
    ),
    Crime(
        "sponsorships_recorded",
        "a sponsorship gives more than was agreed",
        "update merchants.sponsorship set rules = rules || '{\"points\": 5}' where state = 'open' returning id as sponsorship",
    ),
    Crime(
        "offers_recorded",
        "a launched offer gets other rules",
        "update merchants.offer set variants = jsonb_set(variants, '{0,rules,points}', '2') where state = 'launched'"
        " returning id as offer",
    ),
    Crime(
        "offers_recorded",
        "a launched offer holds out fewer",
        "update merchants.offer set holdout_ppm = 10000 where state = 'launched' returning id as offer",
    ),
    Crime(
        "offers_recorded",
        "another salt is drawn when everybody is known",
        "update merchants.offer set salt = sha256('a better one') where state = 'draft' returning id as offer",
    ),
    Crime(
        "offers_recorded",
        "a launch reveals a salt that nobody committed to",
        "update ledger.record set payload = payload || '{\"commitment\": \"00\"}' where kind = 'offer_drafted'"
        " returning subject_id as offer",
    ),
    Crime(
        "offers_recorded",
        "an ended offer runs again",
        "update merchants.offer set state = 'launched' where state = 'ended' returning id as offer",
    ),
    Crime(
        "offer_audiences_frozen",
        "somebody is taken into a launched offer",
        "insert into merchants.offer_member (offer_id, member_id, book_id, arm)"
        " select id, gen_random_uuid(), book_id, 'double' from merchants.offer where state = 'launched'"
        " returning offer_id as offer",
    ),
    Crime(
        "offer_audiences_frozen",
        "somebody else stands in for a member",
        "update merchants.offer_member set member_id = gen_random_uuid() where member_id ="
        " (select min(member_id::text)::uuid from merchants.offer_member) returning offer_id as offer",
    ),
    Crime(
        "offer_arms_derived",
        "a held-out member gets the offer",
        "update merchants.offer_member set arm = case arm when 'holdout' then 'double' else 'holdout' end"
        " where member_id = (select min(member_id::text)::uuid from merchants.offer_member) returning offer_id as offer",
    ),
    Crime(
        "offer_windows_counted",
        "an arm is said to have bought more",
        "update merchants.offer_tally set y = y + 1 where metric = 'spend' and days = 90"
        " and arm = (select min(arm) from merchants.offer_tally) returning offer_id as offer, days, arm, metric",
    ),
    Crime(
        "offer_windows_counted",
        "an arm that did badly is left out",
        "delete from merchants.offer_tally where metric = 'visits' and days = 1"
        " and arm = (select min(arm) from merchants.offer_tally) returning offer_id as offer, days, arm, metric",
    ),
    Crime(
        "bonuses_issued",
        "a bonus is made to vanish",
        "delete from merchants.bonus where points = (select min(points) from merchants.bonus)"
        " returning sale_id as sale, giver_id as sponsorship",
    ),
    Crime(
        "bonuses_issued",
        "a sponsor's lot is called the shop's own",
        "update ledger.lot set rule_id = null where rule_id in (select id from merchants.sponsorship where state = 'open')"
        " returning sale_id as sale",
    ),
    Crime(
        "bonuses_issued",
        "a bonus was paid from another's budget",
        "update ledger.entry set account_id = (select max(id) from ledger.account where kind = 'budget')"
        f" where ({of_kind('budget')}) and {first('sale', 'payload ? $$bonuses$$ desc, batch_id, n')};"
        f" select subject_id as sale from ledger.record where {first('sale', 'payload ? $$bonuses$$ desc, batch_id, n')}",
    ),
    Crime(
        "bonuses_agreed",
        "a sponsor gave at a shop it never chose",
        "update ledger.record set payload = jsonb_set(payload, '{shops}', '[\"00000000-0000-0000-0000-000000000001\"]')"
        " where kind = 'sponsorship' and payload ->> 'shops' is not null returning subject_id as sponsorship",
    ),
    Crime(
        "bonuses_agreed",
        "a bonus was given before its sponsorship began",
        'update ledger.record set payload = payload || \'{"begins_at": "2030-01-01T00:00:00Z"}\''
        " where kind = 'sponsorship' and payload ->> 'shops' is null returning subject_id as sponsorship",
    ),
    Crime(
        "offers_given_as_agreed",
        "somebody held out is given points",
        "update ledger.record set payload = jsonb_set(payload, '{bonuses,0,variant}', '\"holdout\"') where kind = 'sale'"
        " and payload -> 'bonuses' -> 0 ? 'offer' returning id as record",
    ),
    Crime(
        "offers_given_as_agreed",
        "an offer gives somebody who was not in its audience",
        "update ledger.record set payload = jsonb_set(payload, '{bonuses,0,offer}',"
        " (select to_jsonb(id) from merchants.offer where state = 'draft' limit 1))"
        " where kind = 'sale' and payload -> 'bonuses' -> 0 ? 'offer' returning id as record",
    ),
    Crime(
        "offers_given_as_agreed",
        "an offer gives before it began",
        'update ledger.record set payload = payload || \'{"begins_at": "2030-01-01T00:00:00Z"}\''
        " where kind = 'offer_launched' and payload ? 'giving' returning subject_id as offer",
    ),
    Crime(
        "offers_given_as_agreed",
        "a variant gives after its deadline",
        "update ledger.record set payload = jsonb_set(payload, '{variants,0,ends_at}', '\"2016-01-01T00:00:00Z\"')"
        " where kind = 'offer_launched' and payload ? 'giving' returning subject_id as offer",
    ),
    Crime(
        "offers_given_as_agreed",
        "an offer gives whoever never activated it",
        "update ledger.record set member_id = gen_random_uuid() where kind = 'offer_activated' returning subject_id as offer",
    ),
    *(
        Crime(
            "offer_caps_kept",
            f"more is given than {name} allows",
            f"update ledger.record set payload = jsonb_set(payload, '{at}', '0') where kind = 'offer_launched'"
            " and payload -> 'giving' ->> 'by' = 'merchant' returning subject_id as offer",
        )
        for name, at in (
            ("the cap of a member", "{giving,per_member,times}"),
            ("the cap of a member's points", "{giving,per_member,points}"),
            ("the cap of a day", "{giving,per_day,times}"),
            ("the cap of a day's points", "{giving,per_day,points}"),
            ("the whole", "{giving,total_times}"),
        )
    ),
    Crime(
        "offer_uses_counted",
        "a gift to a member is forgotten, and there may be another",
        "update merchants.offer_use set times = 0, points = 0 where times > 0 returning offer_id as offer, member_id as member",
    ),
    Crime(
        "offer_uses_counted",
        "a member is said to have activated an offer earlier",
        "update merchants.offer_use set activated_at = activated_at - interval '1 day' where activated_at is not null"
        " returning offer_id as offer, member_id as member",
    ),
    Crime(
        "offer_uses_counted",
        "a day's gifts are forgotten",
        "update merchants.offer_day set times = times - 1 returning offer_id as offer, day",
    ),
    Crime(
        "offer_budgets_spent",
        "an offer's budget holds what nobody set aside",
        "update ledger.account set balance = balance + 1 where kind = 'budget' and counterparty_id in"
        " (select id from merchants.offer where state = 'launched') returning counterparty_id as offer",
    ),
    Crime(
        "offer_budgets_spent",
        "a sponsor's points are given by an offer that it never agreed to",
        "update ledger.record set payload = payload || '{\"draft\": \"00\"}' where kind = 'offer_funded'"
        " returning subject_id as offer",
    ),
    Crime(
        "earned_by_rules",
        "an offer gives what its rules do not",
        "update ledger.record set payload = jsonb_set(payload, '{variants,0,rules,points}', '7')"
        " where kind = 'offer_launched' and payload ? 'giving'; select subject_id as sale from ledger.record"
        " where kind = 'sale' and payload -> 'bonuses' -> 0 ->> 'offer' is not null"
        " and payload -> 'bonuses' -> 0 ->> 'refused' is null",
    ),
    Crime(
        "offers_passed_over_nobody",
        "a gift is not even tried",
        "update ledger.record set payload = payload - 'bonuses' where kind = 'sale'"
        " and payload -> 'bonuses' -> 0 ? 'offer' and jsonb_array_length(payload -> 'bonuses') = 1"
        " returning subject_id as sale, id as record",
    ),
    Crime(
        "bonuses_issued",
        "an offer's lot is called the shop's own",
        "update ledger.lot set rule_id = null where rule_id in (select id from merchants.offer) returning sale_id as sale",
    ),
    Crime(
        "bonuses_taken_back",
        "a bonus forgets that it was taken back",
        "update merchants.bonus set taken_back = 0 where taken_back > 0 returning sale_id as sale",
    ),
    Crime(
        "sales_refunded_exactly",
        "a refund spares the shop's lot and takes the sponsor's",
        "update ledger.record set payload = jsonb_set(jsonb_set(payload,"
        " '{parts,0,points}', to_jsonb((payload #>> '{parts,0,points}')::int - 1)),"
        " '{parts,1,points}', to_jsonb((payload #>> '{parts,1,points}')::int + 1))"
        " where kind = 'refund' and jsonb_array_length(payload -> 'parts') > 1 returning subject_id as sale, id as record",
    ),
    Crime(
        "refunds_take_what_is_there",
        "what is owed to a sponsor is owed to the shop",
        "update ledger.record set payload = jsonb_set(payload, '{parts,1,issuer}', payload #> '{parts,0,issuer}')"
        " where kind = 'refund' and jsonb_array_length(payload -> 'parts') > 1 returning id as record",
    ),
    Crime(
        "open_prefunded",
        "points that a bank set aside are another's",
        "update ledger.entry set account_id = (select max(id) from ledger.account where kind = 'budget')"
        f" where amount > 0 and account_id = {account('budget')};"
        f" select owner_id as issuer from ledger.account where id = {account('budget')}",
    ),
    Crime(
        "backing_covers",
        "what backs a bank's budget is taken",
        "update ledger.record set payload = payload || '{\"mode\": \"deferred\"}' where kind = 'contract' and merchant_id ="
        f" (select owner_id from ledger.account where id = {account('budget')}) returning merchant_id as issuer",
    ),
    Crime(
        "credit_lines",
        "the network set points aside beyond its line",
        "update ledger.record set payload = payload || '{\"credit_line_points\": 299}' where kind = 'contract' and"
        " merchant_id = (select id from merchants.merchant where kind = 'network') returning merchant_id as issuer",
    ),
    # reconciliation
    Crime(
        "lines_matched_once",
        "a line is matched a second time",
        "insert into settlement.match select gen_random_uuid(), book_id, source, 'again', confidence_ppm, difference_minor,"
        " line_ids, 'standing', at, made_by, reason, null, null, null from settlement.match where state = 'standing'"
        " and rule = 'by_hand' returning line_ids[1] as line",
    ),
    Crime(
        "lines_matched_once",
        "a matched line is let go again and its match stands on",
        "update settlement.told_line set state = 'open' where id = (select line_id from settlement.match_leg limit 1)"
        " returning id as line",
    ),
    Crime(
        "matches_add_up",
        "a match explains money away",
        "update settlement.told_line set amount_minor = amount_minor + 5 where id = (select line_ids[1] from"
        " settlement.match where rule = 'by_hand' and state = 'standing'); select id as match from settlement.match where"
        " rule = 'by_hand' and state = 'standing'",
    ),
    Crime(
        "breaks_end_with_reason",
        "a break is resolved in silence",
        "update settlement.break set reason = ' ' where type = 'unknown_beneficiary' returning id as break",
    ),
    Crime(
        "breaks_end_with_reason",
        "a break was adjusted and forgets the record",
        "update settlement.break set record_id = null where record_id is not null returning id as break",
    ),
    Crime(
        "breaks_end_with_reason",
        "a break is closed past its history",
        "update settlement.break b set state = 'open' where state = 'resolved' and record_id is not null"
        " returning id as break",
    ),
    Crime(
        "adjustments_of_breaks",
        "an adjustment is said to be for another break",
        "update settlement.break_adjustment set break_id = (select id from settlement.break where type ="
        " 'unknown_beneficiary' limit 1) where id in (select subject_id from ledger.record where kind = 'adjustment'"
        " and payload ? 'break') returning id as adjustment",
    ),
    Crime(
        "adjustments_of_breaks",
        "a break is adjusted twice",
        "delete from ledger.record where kind = 'adjustment_rejected' and payload ? 'break' returning subject_id as adjustment",
    ),
    # what windows publish
    Crime(
        "seals_chained",
        "a window is said to have closed on another state of the ledger",
        "update settlement.seal set head = convert_to(regexp_replace(convert_from(head, 'UTF8'), '\"ledger_hash\":\"....',"
        " '\"ledger_hash\":\"0000'), 'UTF8') where window_number = 2 returning window_number as window, 'unlike its window' as why",
    ),
    Crime(
        "seals_chained",
        "a window's place in the chain is forgotten",
        "update settlement.seal set digest = sha256('') where window_number = 1 returning window_number + 1 as window",
    ),
    Crime(
        "seals_chained", "a seal is lost", "delete from settlement.seal where window_number = 1 returning 2 as window"
    ),
    Crime(
        "seals_signed",
        "a signature is made up",
        "update settlement.seal set signature = set_byte(signature, 5, 255 - get_byte(signature, 5))"
        " where window_number = 1 returning window_number as window",
    ),
    Crime(
        "statements_rooted",
        "a merchant's leaf is another",
        "update settlement.sealed_party set leaf = sha256('') where window_number = 1 and place = 0"
        " returning window_number as window, party_id as party",
    ),
    Crime(
        "statements_rooted",
        "an item is rewritten after it was signed",
        "update settlement.item set subject_id = gen_random_uuid() where window_number = 1 and sequence ="
        " (select min(sequence) from settlement.item where kind = 'slice')"
        " returning window_number as window, acceptor_id as party",
    ),
    Crime(
        "statements_rooted",
        "a signed root is another window's",
        "update settlement.seal s set head = convert_to(jsonb_set(convert_from(s.head, 'UTF8')::jsonb, '{statements,root}',"
        " convert_from(o.head, 'UTF8')::jsonb #> '{statements,root}')::text, 'UTF8') from settlement.seal o"
        " where s.window_number = 1 and o.window_number = 2 returning s.window_number as window, 'another root' as why",
    ),
    Crime(
        "supply_is_the_ledgers",
        "fewer points are published than there are",
        "update settlement.seal set head = convert_to(jsonb_set(convert_from(head, 'UTF8')::jsonb,"
        " '{supply,held,deferred_points}', '\"1\"')::text, 'UTF8') where window_number = 1"
        " returning window_number as window, 'held' as what",
    ),
    Crime(
        "supply_is_the_ledgers",
        "promised points are called backed",
        "update settlement.seal set head = convert_to(jsonb_set(convert_from(head, 'UTF8')::jsonb,"
        " '{supply,open,prefunded_minor}', '\"999999\"')::text, 'UTF8') where window_number = 2"
        " returning window_number as window, 'backed' as what",
    ),
    Crime(
        "supply_rooted",
        "a member's leaf is salted anew",
        "update settlement.sealed_holding set salt = substr(sha256(salt), 1, 16) where place = 0"
        " returning window_number as window, 'another root or total' as why",
    ),
    Crime(
        "supply_rooted",
        "a member is left out",
        "delete from settlement.sealed_holding where place = 0 returning window_number as window",
    ),
    Crime(
        "supply_rooted",
        "the tree above the members is another",
        "update settlement.seal set blocks = set_byte(blocks, 3, 255 - get_byte(blocks, 3)) where window_number ="
        " (select max(window_number) from settlement.seal) returning window_number as window",
    ),
    Crime(
        "holdings_at_the_close",
        "a member is published to have had a point more",
        "update settlement.sealed_holding set sums[1] = sums[1] + 1 where place = 1 returning member_id as member",
    ),
    Crime(
        "holdings_at_the_close",
        "points are said to be backed that are promised",
        "update settlement.sealed_holding set sums = array[sums[3], sums[4], sums[1], sums[2], sums[5], sums[6]]"
        " where sums[3] > 0 returning member_id as member",
    ),
]

#: Crimes in a world where a shop did not pay.
OF_COVERS = [
    Crime(
        "covers_posted",
        "a cover says that the fund gave less",
        f"update ledger.record set payload = payload || '{{\"loss_minor\": 1}}' where {first('cover')}"
        " returning batch_id as batch",
    ),
    Crime(
        "covers_posted",
        "what was made good went to another's collateral",
        "update ledger.entry set account_id = (select id from ledger.account where kind = 'prefund' and balance = 0 limit 1)"
        f" where {of_kind('collateral')} and (batch_id, n) in (select batch_id, n from ledger.record where kind ="
        " 'made_good') returning batch_id as batch",
    ),
    Crime(
        "covers_posted",
        "what was made good is said to have come by a provider",
        f'update ledger.record set payload = payload || \'{{"source": "psp"}}\' where {first("made_good")}'
        " returning batch_id as batch",
    ),
    Crime(
        "shares_bounded",
        "a shop bears more than a tenth of what it was to receive",
        "update ledger.record set payload = jsonb_set(payload, '{shares,0,amount_minor}', '61')"
        f" where {first('cover')} returning (payload -> 'shares' -> 0 ->> 'merchant') as party",
    ),
    Crime(
        "due_freed_by_its_own_money",
        "points were freed by what others paid",
        f"update ledger.record set payload = payload || '{{\"amount_minor\": 1}}' where {first('made_good')}"
        " returning merchant_id as merchant",
    ),
    Crime(
        "adjusted_by_two",
        "whoever proposed an adjustment approved it",
        "update ledger.record a set payload = p.payload from ledger.record p where a.kind = 'adjustment'"
        " and p.kind = 'adjustment_proposed' and p.id = a.subject_id returning a.id as record",
    ),
    Crime(
        "items_derived",
        "an adjustment is doubled",
        "update settlement.item set value_minor = value_minor * 2 where reason = 'adjustment' returning sequence",
    ),
    Crime(
        "returned_once",
        "the bank sent back what nobody had paid out",
        f"update ledger.record set reverses_id = null where {first('payment_returned')} returning id as record",
    ),
    Crime(
        "floors_held",
        "the loss fund gave what it did not have",
        f"update ledger.entry set amount = amount / 10 where {first('loss_funded')};"
        " select id as account from ledger.account where kind = 'loss'",
    ),
    # top-ups that were taken back
    Crime(
        "charge_backs_posted",
        "a charge-back took the money of somebody's collateral",
        "update ledger.entry e set account_id = (select id from ledger.account where kind = 'collateral' limit 1) from"
        " ledger.record r where r.kind = 'charge_back' and r.batch_id = e.batch_id and r.n = e.n and e.account_id in"
        " (select id from ledger.account where kind = 'prefund') returning e.batch_id as batch",
    ),
    Crime(
        "charge_backs_posted",
        "a rejected word moved money",
        "insert into ledger.entry select r.batch_id, r.n, 9, (select id from ledger.account where kind = 'bank'), 'money', 5"
        " from ledger.record r where r.kind = 'charge_back_proposed' returning batch_id as batch",
    ),
    Crime(
        "charge_backs_of_topups",
        "more was taken back than was ever paid in",
        "update ledger.record set payload = payload || '{\"amount_minor\": 29}' where kind = 'topup' and payload ->>"
        " 'through' = 'psp'; select id as record from ledger.record where kind = 'charge_back' and payload ->> 'reference' ="
        " 'dp_1'",
    ),
    Crime(
        "charge_backs_of_topups",
        "one dispute was taken twice",
        "update ledger.record set payload = payload || '{\"reference\": \"dp_1\"}' where payload ->> 'reference' = 'dp_2'"
        " returning id as record",
    ),
    Crime(
        "charge_backs_of_topups",
        "less came again than had gone",
        'update ledger.record set payload = payload || \'{"charged_minor": 59, "prefund_minor": 31}\''
        " where kind = 'charge_back_reversed' returning id as record",
    ),
    Crime(
        "charge_backs_of_topups",
        "a merchant was charged although its prefund held enough",
        "update ledger.entry e set amount = amount + 5 from ledger.record r where r.kind = 'topup' and r.batch_id = e.batch_id"
        " and r.n = e.n and e.account_id in (select id from ledger.account where kind = 'prefund' and owner_id in"
        " (select merchant_id from ledger.record where kind = 'charge_back' and payload ->> 'source' = 'bank'));"
        " select id as record from ledger.record where kind = 'charge_back' and payload ->> 'source' = 'bank'",
    ),
    Crime(
        "charged_back_by_two",
        "one person took a top-up back",
        "update ledger.record d set payload = d.payload || jsonb_build_object('operator', p.payload -> 'operator') from"
        " ledger.record p where d.kind = 'charge_back' and p.kind = 'charge_back_proposed' and p.subject_id = d.subject_id"
        " returning d.id as record",
    ),
    Crime(
        "charged_back_by_two",
        "a provider is said to have told of what it was never asked for",
        "update ledger.record set payload = payload || jsonb_build_object('instruction', gen_random_uuid()) where kind ="
        " 'charge_back' and payload ->> 'reference' = 'dp_1' returning id as record",
    ),
    Crime(
        "charge_backs_recorded",
        "a charge-back is forgotten",
        "delete from settlement.charge_back where reference = 'dp_2' returning id as charge_back",
    ),
    Crime(
        "charge_backs_recorded",
        "what came again is said to be gone still",
        "update settlement.charge_back set state = 'booked' where state = 'reversed' returning id as charge_back",
    ),
    Crime(
        "charge_backs_settled",
        "what was charged was never asked for",
        "insert into ledger.entry select r.batch_id, r.n, 9, a.id, 'money', -3 from ledger.record r, ledger.account a"
        " where r.kind = 'charge_back' and r.payload ->> 'reference' = 'dp_1' and a.kind = 'charge_backs'"
        " returning account_id as account",
    ),
    Crime(
        "items_derived",
        "a charge-back is charged twice",
        "update settlement.item set value_minor = value_minor * 2 where reason = 'charge_back' and value_minor > 0"
        " returning sequence",
    ),
    # who was suspended by the clock
    Crime(
        "pay_ins_missed",
        "a merchant was suspended a day too early",
        f"update ledger.record set at = at + interval '1 day' where {first('pay_in_grace')};"
        " select id as record from ledger.record where kind = 'pay_in_missed'",
    ),
    Crime(
        "pay_ins_missed",
        "a merchant was suspended without a warning",
        "delete from ledger.record where kind = 'pay_in_warned';"
        " select id as record from ledger.record where kind = 'pay_in_missed'",
    ),
    Crime(
        "pay_ins_missed",
        "the clock suspended a merchant that owed nothing",
        "delete from ledger.record where kind = 'pay_in_missed';"
        " select id as record from ledger.record where kind = 'merchant_suspended' and actor = 'clock'",
    ),
    Crime(
        "grace_declared",
        "merchants are given fewer days than were declared",
        "update settlement.pay_in_grace set days = 1 returning book_id as book",
    ),
    Crime(
        "items_derived",
        "a shop bears less than its share",
        "update settlement.item set value_minor = value_minor - 1 where reason = 'share' and value_minor = 60"
        " returning sequence",
    ),
]


@pytest.mark.row("A15")
def test_an_honest_world_is_clean(honest: str) -> None:
    report = ledger.audit.run(honest, CHECKS)
    assert [finding for finding in report.findings if not finding.ok] == []
    assert report.clean


def test_every_check_has_its_crime() -> None:
    assert {crime.caught_by for crime in [*CRIMES, *OF_COVERS]} == {check.name for check in CHECKS}


@pytest.mark.row("A15")
@pytest.mark.parametrize("crime", CRIMES, ids=lambda crime: f"{crime.caught_by}: {crime.deed}")
def test_a_crime_is_caught_and_the_row_named(spoiled: psycopg.Connection[Any], crime: Crime) -> None:
    guilty = commit(spoiled, crime.sql)
    check = next(check for check in CHECKS if check.name == crime.caught_by)
    (finding,) = audited(spoiled, [check]).findings
    assert named(guilty, finding), (guilty, finding.offending)


def test_a_world_where_a_shop_did_not_pay_is_clean(covered: str) -> None:
    assert [finding for finding in ledger.audit.run(covered, CHECKS).findings if not finding.ok] == []


@pytest.mark.parametrize("crime", OF_COVERS, ids=lambda crime: f"{crime.caught_by}: {crime.deed}")
def test_a_crime_about_covers_is_caught_and_the_row_named(covered: str, crime: Crime) -> None:
    with psycopg.connect(covered) as conn:
        conn.execute("set session_replication_role = replica")
        guilty = commit(conn, crime.sql)
        check = next(check for check in CHECKS if check.name == crime.caught_by)
        (finding,) = audited(conn, [check]).findings
        conn.rollback()
    assert named(guilty, finding), (guilty, finding.offending)


def test_no_crime_silences_another_check(spoiled: psycopg.Connection[Any]) -> None:
    done = [crime for crime in CRIMES if committed(spoiled, crime.sql)]
    report = audited(spoiled, CHECKS)
    assert [finding.name for finding in report.findings] == [check.name for check in CHECKS]
    assert len(done) > 70, "most can be done together"
    assert sum(not finding.ok for finding in report.findings) > 50, "and most are seen together"


@pytest.fixture(scope="module")
def villain(honest: str) -> Iterator[psycopg.Connection[Any]]:
    """One who may do anything to the honest world, triggers off."""
    with psycopg.connect(honest) as conn:
        conn.execute("set session_replication_role = replica")
        conn.commit()
        yield conn


@pytest.fixture
def spoiled(villain: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """The honest world, to be spoiled in a transaction; afterwards it never happened."""
    with villain.transaction(force_rollback=True):
        yield villain


def commit(conn: psycopg.Connection[Any], sql: str) -> list[dict[str, Any]]:
    """Do the deed; returns what its last statement says of all it touched."""
    cursor = conn.cursor(row_factory=dict_row).execute(sql)
    while cursor.nextset():
        pass
    rows = cursor.fetchall()
    assert rows, "nothing was done"
    return [
        {name: value if isinstance(value, int | str) else str(value) for name, value in row.items()} for row in rows
    ]


def named(guilty: list[dict[str, Any]], finding: ledger.audit.Finding) -> bool:
    """Whether one that was touched is among the rows shown, which are the first few, in no order."""
    return any(one.items() <= row.items() for one in guilty for row in finding.offending)


def committed(conn: psycopg.Connection[Any], sql: str) -> bool:
    """Whether the deed could still be done after those before it."""
    try:
        with conn.transaction():
            conn.execute(sql)
    except psycopg.Error:
        return False
    return True


def audited(conn: psycopg.Connection[Any], checks: Sequence[ledger.audit.Check]) -> ledger.audit.Report:
    """The audit in the very transaction that did it, under the auditor's rights."""
    conn.execute("set local role manex_auditor")
    return ledger.audit.prove(conn, checks)
