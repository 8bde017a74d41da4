"""Each code a command can be rejected with, produced by a command that breaks that rule and no other."""

# ruff: noqa: ARG005 - every case is given the ids, whether it needs them or not

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache

import pytest

from contractnet.messages import CODE_TEXT, Claim, Code, Command, Direction, Pricing, Priority
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.signing import KeyPair
from market import limits, pricing
from market.rules import RULES
from tests.market.cases_budgets import BUDGET_CASES
from tests.market.cases_decisions import DECISION_CASES
from tests.market.cases_deposits import DEPOSIT_CASES
from tests.market.cases_groups import GROUP_CASES
from tests.market.cases_invitations import INVITATION_CASES
from tests.market.cases_negotiations import NEGOTIATION_CASES
from tests.market.cases_policies import POLICY_CASES
from tests.market.cases_resales import RESALE_CASES
from tests.market.cases_tokens import TOKEN_CASES
from tests.market.cases_waits import WAIT_CASES
from tests.market.stages import CASE_IDS, STAGES
from tests.market.test_pricing import let_win_ties
from tests.market.town import (
    BANK,
    INBOX_KEY,
    MANAGER,
    OPERATOR,
    PARTITIONS,
    UNKNOWN_ID,
    Answer,
    Town,
    bid,
    budget,
    call,
    key_pair,
    small_town,
)

ANN, BOB, NEW = key_pair("ann"), key_pair("bob"), key_pair("new").public
INT64_MAX, INT32_MAX = 2**63 - 1, 2**31 - 1
LONG = "x" * 10_240

Ids = dict[str, bytes]


def busy_town(rules: int = max(RULES)) -> tuple[Town, Ids]:
    """A market in which bob holds a lease, and ann has an open bid on the CFP `cfp`; with budgets where there are any:
    bob's is 500, a project's has no limit; with CFPs that their manager awards, groups, negotiations, and a token
    pool, where there are such."""
    return copy.deepcopy(_busy_town(rules))


@cache
def _busy_town(rules: int) -> tuple[Town, Ids]:
    town, ids = small_town("ann", "bob", units=2, credits_ucr=1_000, rules=rules)
    if rules >= limits.BUDGETS_RULES_VERSION:
        town.send(budget(ids["bob"], limit_ucr=500, window_ms=24 * 3600 * 1000), BANK)
        town.send(budget(None, "unlimited", limit_ucr=None, allowance_ucr=9), BANK)
    ids["ended"] = town.cfp(duration_ms=60_000)
    ids["lease"] = town.bid(ids["ended"], "bob", 100).id
    town.settle(ids["ended"])
    ids["cfp"] = town.cfp(open_ms=10_000)
    ids["bid"] = town.bid(ids["cfp"], "ann", 100).id
    ids["quiet"] = town.cfp(open_ms=10_000)
    ids |= dict.fromkeys(CASE_IDS, UNKNOWN_ID)
    for since, make in STAGES:
        if rules >= since:
            make(town, ids)
    return town, ids


def opening(name: str = "new", project: str = "p", root: str = "r", key: bytes = NEW) -> c.OpenAccount:
    """An account to open."""
    return c.OpenAccount(name, project, root, key, INBOX_KEY)


Case = tuple[str, Code, KeyPair, Callable[[Ids], Command]]

CASES: list[Case] = [
    ("agent opens account", Code.NOT_PERMITTED, ANN, lambda i: opening()),
    ("agent sets weight", Code.NOT_PERMITTED, ANN, lambda i: c.SetWeight(i["bob"], 500)),
    ("agent issues", Code.NOT_PERMITTED, ANN, lambda i: c.IssueCredits(i["ann"], 1, "")),
    ("agent transfers", Code.NOT_PERMITTED, ANN, lambda i: c.TransferCredits(i["bob"], i["ann"], 1, "")),
    ("bank transfers its own", Code.NOT_PERMITTED, BANK, lambda i: c.TransferCredits(bank(i), i["ann"], 1, "")),
    ("agent creates pool", Code.NOT_PERMITTED, ANN, lambda i: c.CreatePool("tpu", i["ann"], 1)),
    ("bank bids", Code.NOT_PERMITTED, BANK, lambda i: bid(i["cfp"], 20)),
    ("operator bids", Code.NOT_PERMITTED, OPERATOR, lambda i: bid(i["cfp"], 20)),
    ("operator rotates to a taken key", Code.KEY_TAKEN, OPERATOR, lambda i: c.RotateKey(ANN.public)),
    ("bank activates rules", Code.NOT_PERMITTED, BANK, lambda i: c.ActivateRules(2)),
    ("agent calls on another's pool", Code.NOT_OWNER, ANN, lambda i: call()),
    ("bank calls on another's pool", Code.NOT_OWNER, BANK, lambda i: call()),
    ("agent cancels", Code.NOT_OWNER, ANN, lambda i: c.CancelCfp(i["cfp"])),
    ("agent withdraws another's bid", Code.NOT_OWNER, BOB, lambda i: c.WithdrawBid(i["bid"])),
    ("agent releases another's lease", Code.NOT_OWNER, ANN, lambda i: c.ReleaseLease(i["lease"])),
    ("agent resizes", Code.NOT_OWNER, ANN, lambda i: c.ResizePool("gpu", 3)),
    ("agent registers for another", Code.NOT_OWNER, ANN, lambda i: c.RegisterKey(i["bob"], NEW)),
    ("operator registers", Code.NOT_OWNER, OPERATOR, lambda i: c.RegisterKey(i["bob"], NEW)),
    ("agent revokes another's", Code.NOT_OWNER, ANN, lambda i: c.RevokeKey(i["bob"], BOB.public)),
    *[
        (f"bid of {n}", Code.BAD_AMOUNT, BOB, lambda i, n=n: bid(i["cfp"], n))
        for n in (0, -1, -INT64_MAX - 1, limits.AMOUNT_UCR_MAX + 1, INT64_MAX)
    ],
    *[
        (f"issue {n}", Code.BAD_AMOUNT, BANK, lambda i, n=n: c.IssueCredits(i["ann"], n, ""))
        for n in (0, -1, INT64_MAX)
    ],
    *[
        (f"transfer {n}", Code.BAD_AMOUNT, BANK, lambda i, n=n: c.TransferCredits(i["ann"], i["bob"], n, ""))
        for n in (0, -1, INT64_MAX)
    ],
    *[(f"reserve {n}", Code.BAD_AMOUNT, MANAGER, lambda i, n=n: call(reserve_price_ucr=n)) for n in (0, -1, INT64_MAX)],
    ("transfer to itself", Code.BAD_AMOUNT, BANK, lambda i: c.TransferCredits(i["ann"], i["ann"], 1, "")),
    ("issue to the bank", Code.BAD_AMOUNT, BANK, lambda i: c.IssueCredits(bank(i), 1, "")),
    *[
        (f"name {name[:9]!r}", Code.BAD_NAME, BANK, lambda i, name=name: opening(name))
        for name in ("", "nul\0", "rtl\u202e", "zero\u200bwidth", LONG, "x" * 65, "e\u0301", "\u00fc" * 33, "a\nb")
    ],
    ("project", Code.BAD_NAME, BANK, lambda i: opening(project="\u202e")),
    ("budget root", Code.BAD_NAME, BANK, lambda i: opening(root=LONG)),
    ("pool", Code.BAD_NAME, BANK, lambda i: c.CreatePool("tpu\0", i["ann"], 1)),
    ("task", Code.BAD_NAME, BOB, lambda i: bid(i["cfp"], 20, task=LONG)),
    ("memo", Code.BAD_NAME, BANK, lambda i: c.IssueCredits(i["ann"], 1, "x" * 257)),
    ("memo of a transfer", Code.BAD_NAME, BANK, lambda i: c.TransferCredits(i["ann"], i["bob"], 1, "\x1b[2J")),
    *[
        (f"duration {n}", Code.BAD_DURATION, MANAGER, lambda i, n=n: call(duration_ms=n))
        for n in (-1, 0, limits.LEASE_MS_MIN - 1, limits.LEASE_MS_MAX + 1, INT64_MAX)
    ],
    *[
        (f"open {n}", Code.BAD_DURATION, MANAGER, lambda i, n=n: call(open_ms=n))
        for n in (-1, 0, limits.CFP_OPEN_MS_MIN - 1, limits.CFP_OPEN_MS_MAX + 1, INT64_MAX)
    ],
    *[
        (f"start delay {n}", Code.BAD_DURATION, BOB, lambda i, n=n: bid(i["cfp"], 20, n))
        for n in (-1, limits.START_DELAY_MS_MAX + 1, INT64_MAX)
    ],
    ("a key that has expired", Code.BAD_DURATION, ANN, lambda i: c.RegisterKey(i["ann"], NEW, 1)),
    ("rotate to a key that has expired", Code.BAD_DURATION, ANN, lambda i: c.RotateKey(NEW, -INT64_MAX - 1)),
    ("operator's key with an end", Code.BAD_DURATION, OPERATOR, lambda i: c.RotateKey(NEW, INT64_MAX)),
    *[
        (f"units {n}", Code.BAD_UNITS, MANAGER, lambda i, n=n: call(units=n))
        for n in (-1, 0, limits.UNITS_MAX + 1, INT32_MAX)
    ],
    *[
        (f"slots {n}", Code.BAD_UNITS, MANAGER, lambda i, n=n: call(slots=n))
        for n in (-1, 0, limits.SLOTS_MAX + 1, INT32_MAX)
    ],
    ("pool of 0", Code.BAD_UNITS, BANK, lambda i: c.CreatePool("tpu", i["ann"], 0)),
    ("resize to 0", Code.BAD_UNITS, MANAGER, lambda i: c.ResizePool("gpu", 0)),
    ("weight 499", Code.BAD_WEIGHT, BANK, lambda i: c.SetWeight(i["ann"], 499)),
    ("weight 1001", Code.BAD_WEIGHT, BANK, lambda i: c.SetWeight(i["ann"], 1001)),
    ("direction", Code.UNKNOWN_VALUE, MANAGER, lambda i: call(direction=Direction.UNSPECIFIED)),
    ("pricing", Code.UNKNOWN_VALUE, MANAGER, lambda i: call(pricing=Pricing.UNSPECIFIED)),
    ("rules 2", Code.UNKNOWN_RULES, OPERATOR, lambda i: c.ActivateRules(2)),
    ("rules again", Code.UNKNOWN_RULES, OPERATOR, lambda i: c.ActivateRules(1)),
    ("issue to nobody", Code.UNKNOWN_ACCOUNT, BANK, lambda i: c.IssueCredits(UNKNOWN_ID, 1, "")),
    ("pool for nobody", Code.UNKNOWN_ACCOUNT, BANK, lambda i: c.CreatePool("tpu", UNKNOWN_ID, 1)),
    ("key for nobody", Code.UNKNOWN_ACCOUNT, BANK, lambda i: c.RegisterKey(UNKNOWN_ID, NEW)),
    ("weight of nobody", Code.UNKNOWN_ACCOUNT, BANK, lambda i: c.SetWeight(UNKNOWN_ID, 500)),
    ("debit nobody", Code.UNKNOWN_ACCOUNT, BANK, lambda i: c.TransferCredits(UNKNOWN_ID, i["ann"], 1, "")),
    ("call on no pool", Code.UNKNOWN_POOL, MANAGER, lambda i: call(pool=LONG)),
    ("resize no pool", Code.UNKNOWN_POOL, MANAGER, lambda i: c.ResizePool("\u202e", 1)),
    ("bid on no CFP", Code.UNKNOWN_CFP, ANN, lambda i: bid(UNKNOWN_ID, 20)),
    ("cancel no CFP", Code.UNKNOWN_CFP, MANAGER, lambda i: c.CancelCfp(UNKNOWN_ID)),
    ("withdraw no bid", Code.UNKNOWN_BID, ANN, lambda i: c.WithdrawBid(UNKNOWN_ID)),
    ("withdraw a settled bid", Code.UNKNOWN_BID, BOB, lambda i: c.WithdrawBid(i["lease"])),
    ("release no lease", Code.UNKNOWN_LEASE, BOB, lambda i: c.ReleaseLease(UNKNOWN_ID)),
    ("release a bid", Code.UNKNOWN_LEASE, ANN, lambda i: c.ReleaseLease(i["bid"])),
    ("account name taken", Code.NAME_TAKEN, BANK, lambda i: opening("ann")),
    ("the bank's name", Code.NAME_TAKEN, BANK, lambda i: opening("bank")),
    ("pool name taken", Code.NAME_TAKEN, BANK, lambda i: c.CreatePool("gpu", i["ann"], 1)),
    ("account with a taken key", Code.KEY_TAKEN, BANK, lambda i: opening(key=BOB.public)),
    ("account with the operator's key", Code.KEY_TAKEN, BANK, lambda i: opening(key=OPERATOR.public)),
    ("register a taken key", Code.KEY_TAKEN, ANN, lambda i: c.RegisterKey(i["ann"], BOB.public)),
    ("rotate to itself", Code.KEY_TAKEN, ANN, lambda i: c.RotateKey(ANN.public)),
    ("revoke the last key", Code.LAST_KEY, ANN, lambda i: c.RevokeKey(i["ann"], ANN.public)),
    ("bank revokes its last key", Code.LAST_KEY, BANK, lambda i: c.RevokeKey(bank(i), BANK.public)),
    ("revoke no key", Code.UNKNOWN_KEY, ANN, lambda i: c.RevokeKey(i["ann"], NEW)),
    ("revoke another's key as one's own", Code.UNKNOWN_KEY, ANN, lambda i: c.RevokeKey(i["ann"], BOB.public)),
    ("bid on an ended CFP", Code.CFP_CLOSED, ANN, lambda i: bid(i["ended"], 20)),
    ("cancel an ended CFP", Code.CFP_CLOSED, MANAGER, lambda i: c.CancelCfp(i["ended"])),
    ("bid on one's own CFP", Code.OWN_CFP, MANAGER, lambda i: bid(i["cfp"], 20)),
    ("bid twice", Code.ALREADY_BID, ANN, lambda i: bid(i["cfp"], 20)),
    ("bid more than is free", Code.INSUFFICIENT_CREDIT, ANN, lambda i: bid(i["quiet"], 901)),
    ("transfer what is held", Code.INSUFFICIENT_CREDIT, BANK, lambda i: c.TransferCredits(i["ann"], i["bob"], 901, "")),
    ("call for more than the pool", Code.UNITS_EXCEED_POOL, MANAGER, lambda i: call(units=3)),
    ("a genesis of a market that is open", Code.MARKET_EXISTS, OPERATOR, lambda i: genesis()),
    ("a bank's genesis of a market that is open", Code.MARKET_EXISTS, BANK, lambda i: genesis()),
    *BUDGET_CASES,
    *DECISION_CASES,
    *DEPOSIT_CASES,
    *GROUP_CASES,
    *INVITATION_CASES,
    *NEGOTIATION_CASES,
    *RESALE_CASES,
    *POLICY_CASES,
    *TOKEN_CASES,
    *WAIT_CASES,
]


def bank(ids: Ids) -> bytes:
    """Id of the bank's account."""
    return ids["bank"]


def genesis() -> c.OpenMarket:
    """A second genesis."""
    return c.OpenMarket(BANK.public, PARTITIONS, 1, True)


@pytest.mark.parametrize(("code", "sender", "command"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_broken_rule(code: Code, sender: KeyPair, command: Callable[[Ids], Command]) -> None:
    """The command is rejected with its code, changes nothing else, and the market takes the next one."""
    town, ids = busy_town()
    ids["bank"] = town.state.bank
    before = {a.id: (a.balance_ucr, a.held_ucr) for a in town.state.accounts.values()}
    answer = town.send(command(ids), sender)
    assert answer.code is code
    (rejected,) = answer.events
    assert isinstance(rejected, e.CommandRejected)
    assert len(rejected.detail) < 120
    assert rejected.detail.isprintable()
    assert {a.id: (a.balance_ucr, a.held_ucr) for a in town.state.accounts.values()} == before
    assert town.bid(ids["cfp"], "bob", 20).code is Code.ACCEPTED


ELSEWHERE = {
    Code.ACCEPTED: "everywhere",
    Code.UNREADABLE: "test_records.py: bytes that are no command",
    Code.MISSING_SIGNATURE: "test_records.py: headers",
    Code.BAD_SIGNATURE: "test_records.py: another market's signature",
    Code.WRONG_PARTITION: "test_records.py: where a record lies",
    Code.BAD_MARKET_NAME: "test_records.py: where a record lies",
    Code.UNKNOWN_MARKET: "test_records.py: where a record lies",
    Code.UNTRUSTED_OPERATOR: "test_records.py: genesis",
    Code.BAD_PARTITIONS: "test_records.py: genesis",
    Code.REVOKED_KEY: "test_records.py: keys",
    Code.STALE_SEQUENCE: "test_records.py: replay",
    Code.CAPACITY_RESERVED: "below: a lease keeps its units",
    Code.LIMIT_REACHED: "test_limits.py, and below",
    Code.ISSUE_EXCEEDED: "test_guards.py: inflation",
}


def test_every_code_is_produced_somewhere() -> None:
    """No code is untested, and each has its words."""
    assert {case[1] for case in CASES} | set(ELSEWHERE) == set(Code) - {Code.UNSPECIFIED}
    assert set(CODE_TEXT) == set(Code) - {Code.UNSPECIFIED}


def test_a_pool_cannot_lose_reserved_units() -> None:
    """Units that leases use now or will use later cannot go; when the leases are over, they can."""
    town, ids = busy_town()
    town.bid(ids["cfp"], "bob", 50, start_delay_ms=5_000)
    town.settle(ids["cfp"])
    later = town.cfp()
    town.bid(later, "bob", 50, start_delay_ms=5_000)
    assert len(town.settle(later)) == 1
    town.at_ms += 2_000
    # Now only the first lease runs; the one of `later` overlaps it in three seconds.
    assert town.send(c.ResizePool("gpu", 1), MANAGER).code is Code.CAPACITY_RESERVED
    town.at_ms += 5_000
    assert town.send(c.ResizePool("gpu", 1), MANAGER).code is Code.ACCEPTED


def test_one_account_cannot_fill_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bids of one account on one CFP are counted, withdrawn ones too: else it could crowd out all others for nothing.

    Another account still gets its place, and a restart counts on.
    """
    monkeypatch.setattr(limits, "BIDS_PER_ACCOUNT_AND_CFP_MAX", 3)
    town, ids = small_town("ann", "bob")
    cfp = town.cfp()
    for _ in range(3):
        placed = town.bid(cfp, "ann", 1)
        assert placed.code is Code.ACCEPTED
        town.send(c.WithdrawBid(placed.id), key_pair("ann"))
    assert town.bid(cfp, "ann", 20).code is Code.LIMIT_REACHED
    restored = town.restored(town.canonical()).markets["default"].cfps[cfp]
    assert restored.tries == {ids["ann"]: 3}
    assert town.bid(cfp, "bob", 20).code is Code.ACCEPTED
    assert town.bid(town.cfp(), "ann", 20).code is Code.ACCEPTED


def test_a_pool_full_of_leases_locks_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit of leases of a pool, bids are unlockable; one below it, one more wins, and pays for the scarcity."""
    for limit, prices in ((1, []), (2, [30]), (3, [10, 10])):
        town, ids = small_town("ann", "bob", "cat", units=10)
        first = town.cfp(duration_ms=60_000)
        town.bid(first, "cat", 100)
        town.settle(first)
        cfp = town.cfp(slots=2)
        town.bid(cfp, "ann", 50)
        town.bid(cfp, "bob", 30)
        monkeypatch.setattr(pricing, "LEASES_PER_POOL_MAX", limit)
        let_win_ties(town, cfp, ids["ann"], ids["bob"])
        assert [award.price_ucr for award in town.settle(cfp)] == prices
        monkeypatch.undo()


def test_a_weight_that_an_open_cfp_counts_by_is_not_forgotten() -> None:
    """Changes beyond what is remembered wait until the CFP is over: its bids keep the weight of its opening."""
    town, ids = small_town("ann")
    cfp = town.cfp(open_ms=1_000)
    weights = [c.SetWeight(ids["ann"], 500 + number) for number in range(limits.WEIGHTS_PER_ACCOUNT_MAX)]
    codes = [town.send(weight, BANK).code for weight in weights]
    assert codes == [Code.ACCEPTED] * (len(codes) - 1) + [Code.LIMIT_REACHED]
    assert town.bid(cfp, "ann", 20).of(e.BidPlaced)[0].weight_permille == 1000
    town.settle(cfp)
    town.cfp()
    assert town.send(weights[-1], BANK).code is Code.ACCEPTED
    assert town.send(weights[-1], BANK).code is Code.ACCEPTED


def test_ended_cfps_are_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest ones are answered as closed, older ones as unknown."""
    monkeypatch.setattr(limits, "CLOSED_CFPS_REMEMBERED", 2)
    town, _ = small_town("ann")
    cfps = [town.cfp() for _ in range(3)]
    for cfp in cfps:
        town.send(c.CancelCfp(cfp), MANAGER)
    codes = [town.bid(cfp, "ann", 20).code for cfp in cfps]
    assert codes == [Code.UNKNOWN_CFP, Code.CFP_CLOSED, Code.CFP_CLOSED]


def test_a_claim_of_an_unknown_priority() -> None:
    """A claim says how urgent the task is, or there is none."""
    town, ids = busy_town()
    for priority, code in ((Priority.UNSPECIFIED, Code.UNKNOWN_VALUE), (Priority.HIGH, Code.ACCEPTED)):
        claim = Claim(priority, 0, 1)
        assert town.send(c.PlaceBid(ids["cfp"], 20, 0, "", bytes(32), claim), BOB).code is code


def test_a_hundred_bids_at_the_limit_never_overspend() -> None:
    """Of 100 bids of 100 with 1,000 to spend, 10 hold; the sum of holds never exceeds the balance."""
    town, ids = small_town("ann", units=100, credits_ucr=1_000)
    cfps = [town.cfp() for _ in range(100)]
    codes = [town.bid(cfp, "ann", 100).code for cfp in cfps]
    assert codes == [Code.ACCEPTED] * 10 + [Code.INSUFFICIENT_CREDIT] * 90
    account = town.state.accounts[ids["ann"]]
    assert (account.balance_ucr, account.held_ucr, account.available_ucr) == (1_000, 1_000, 0)
    town.at_ms += 100
    # More is due than one record settles.
    awards = [award for _ in range(3) for award in town.tick().of(e.AwardMade)]
    assert len(awards) == 10
    assert (account.balance_ucr, account.held_ucr) == (1_000 - 10 * 10, 0)


def test_a_withdrawn_bid_keeps_its_hold_until_the_close() -> None:
    """The credits come back with the CFP's end, not before; another bid may stand meanwhile."""
    town, ids = small_town("ann", credits_ucr=100)
    cfp = town.cfp()
    first = town.bid(cfp, "ann", 60)
    assert town.send(c.WithdrawBid(first.id), ANN).code is Code.ACCEPTED
    account = town.state.accounts[ids["ann"]]
    assert account.held_ucr == 60
    assert town.send(c.WithdrawBid(first.id), ANN).code is Code.UNKNOWN_BID
    assert town.bid(cfp, "ann", 41).code is Code.INSUFFICIENT_CREDIT
    assert town.bid(cfp, "ann", 40).code is Code.ACCEPTED
    (award,) = town.settle(cfp)
    assert award.bid_price_ucr == 40
    assert (account.balance_ucr, account.held_ucr) == (90, 0)


def test_largest_amounts_do_not_overflow() -> None:
    """10^15 can be issued and bid; every posted number fits a signed 64-bit integer."""
    town, _ = small_town("ann", "bob", credits_ucr=limits.AMOUNT_UCR_MAX)
    cfp = town.cfp()
    assert town.bid(cfp, "ann", limits.AMOUNT_UCR_MAX).code is Code.ACCEPTED
    assert town.bid(cfp, "bob", limits.AMOUNT_UCR_MAX).code is Code.ACCEPTED
    (award,) = town.settle(cfp)
    assert award.price_ucr == limits.AMOUNT_UCR_MAX


def test_an_answer_is_for_its_command() -> None:
    """Accepted commands say who sent them, with which key, and what kind they were."""
    town, ids = small_town("ann")
    cfp = town.cfp()
    answer: Answer = town.bid(cfp, "ann", 20)
    (accepted,) = answer.of(e.CommandAccepted)
    assert (accepted.account, accepted.key, accepted.kind) == (ids["ann"], ANN.public, "PlaceBid")
    assert {entry.source.command for entry in answer.entries} == {answer.id}
