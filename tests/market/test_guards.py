"""Attacks on the market itself, each without its guard and with it (docs/guards.md).

Without means: under the limit or the policy that a market without this guard would have. An attack that does no harm
without the guard would prove nothing. Claims, reserves and bonds are in test_guards_waits.py.
"""

from __future__ import annotations

import pytest

from contractnet.messages import Code, PostingReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.signing import KeyPair
from market import limits
from tests.market.cases_deposits import RATE
from tests.market.cases_negotiations import ALTERNATING, joined, negotiation
from tests.market.cases_policies import policy
from tests.market.cases_resales import claim
from tests.market.test_pricing import let_win_ties
from tests.market.town import ANN, BANK, MANAGER, OPERATOR, Town, bid, budget, call, key_pair, managed, small_town

BOB, MALLORY = key_pair("bob"), key_pair("mallory")
MINUTE_MS = 60_000


@pytest.mark.parametrize(("guarded", "honest"), [(False, Code.LIMIT_REACHED), (True, Code.ACCEPTED)])
def test_a_flood_of_bids_fills_no_call(guarded: bool, honest: Code, monkeypatch: pytest.MonkeyPatch) -> None:
    """One account places and withdraws bids until the call takes no more: nobody else can bid. Its own bound is
    reached first."""
    monkeypatch.setattr(limits, "BIDS_PER_CFP_MAX", 12)
    if not guarded:
        monkeypatch.setattr(limits, "BIDS_PER_ACCOUNT_AND_CFP_MAX", 10**9)
    town, _ = small_town("mallory", "bob")
    cfp = town.cfp()
    placed = 0
    while (answer := town.send(bid(cfp, 1), MALLORY)).code is Code.ACCEPTED:
        placed += 1
        town.send(c.WithdrawBid(answer.id), MALLORY)
    assert answer.code is Code.LIMIT_REACHED
    assert placed == (8 if guarded else 12)
    assert town.send(bid(cfp, 50), BOB).code is honest


@pytest.mark.parametrize(("guarded", "honest"), [(False, Code.LIMIT_REACHED), (True, Code.ACCEPTED)])
def test_a_flood_of_calls_fills_no_market(guarded: bool, honest: Code, monkeypatch: pytest.MonkeyPatch) -> None:
    """One manager opens calls until the market takes no more: nobody else can call."""
    monkeypatch.setattr(limits, "OPEN_CFPS_MAX", 12)
    monkeypatch.setattr(limits, "OPEN_CFPS_PER_MANAGER_MAX", 6 if guarded else 10**9)
    town, ids = small_town("mallory", "bob")
    for name in ("mallory", "bob"):
        town.pool(name, ids[name], 1)
    while (answer := town.send(call(pool="mallory", open_ms=10_000), MALLORY)).code is Code.ACCEPTED:
        pass
    assert answer.code is Code.LIMIT_REACHED
    assert town.send(call(pool="bob"), BOB).code is honest


@pytest.mark.parametrize(("guarded", "honest"), [(False, Code.LIMIT_REACHED), (True, Code.ACCEPTED)])
def test_many_accounts_of_one_root_fill_no_call(guarded: bool, honest: Code, monkeypatch: pytest.MonkeyPatch) -> None:
    """Second identities bid until a call takes no more; each keeps to its own bound. Rules 8 bound accounts alone."""
    monkeypatch.setattr(limits, "BIDS_PER_CFP_MAX", 12)
    monkeypatch.setattr(limits, "BIDS_PER_ROOT_AND_CFP_MAX", 6)
    town, _ = small_town("mallory", "mallory 2", "mallory 3", rules=9 if guarded else 8)
    cfp = town.cfp()
    answers = []
    for name in ("mallory", "mallory 2", "mallory 3"):
        for _ in range(5):
            answers.append(answer := town.bid(cfp, name, 1))
            town.send(c.WithdrawBid(answer.id), key_pair(name))
    assert [answer.code for answer in answers].count(Code.ACCEPTED) == (6 if guarded else 12)
    assert answers[-1].code is Code.LIMIT_REACHED
    assert town.send(bid(cfp, 50), stranger(town)).code is honest


@pytest.mark.parametrize(("guarded", "honest"), [(False, Code.LIMIT_REACHED), (True, Code.ACCEPTED)])
def test_many_managers_of_one_root_fill_no_market(guarded: bool, honest: Code, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with calls: each second identity has a pool, and calls as often as it may."""
    monkeypatch.setattr(limits, "OPEN_CFPS_MAX", 12)
    monkeypatch.setattr(limits, "OPEN_CFPS_PER_ROOT_MAX", 6)
    monkeypatch.setattr(limits, "OPEN_CFPS_PER_MANAGER_MAX", 4)
    names = ("mallory", "mallory 2", "mallory 3")
    town, ids = small_town(*names, rules=9 if guarded else 8)
    for name in names:
        town.pool(name, ids[name], 1)
    codes = [town.send(call(pool=name, open_ms=10_000), key_pair(name)).code for name in names for _ in range(4)]
    assert codes.count(Code.ACCEPTED) == (6 if guarded else 12)
    keys = stranger(town)
    town.pool("stranger", town.state.account_names["stranger"], 1)
    assert town.send(call(pool="stranger"), keys).code is honest


def stranger(town: Town) -> KeyPair:
    """Somebody under a budget root of its own, with credits."""
    keys = key_pair("stranger")
    opened = town.send(c.OpenAccount("stranger", "elsewhere", "elsewhere", keys.public, bytes(32)), BANK)
    town.send(c.IssueCredits(opened.id, 10_000, ""), BANK)
    return keys


def test_bidding_high_and_leaving_costs_liquidity() -> None:
    """A withdrawn bid keeps its hold until the call ends: whoever bids more than it means can bid less elsewhere."""
    town, ids = small_town("mallory", credits_ucr=100)
    first, second = town.cfp(), town.cfp()
    high = town.bid(first, "mallory", 90)
    town.send(c.WithdrawBid(high.id), MALLORY)
    assert town.bid(second, "mallory", 11).code is Code.INSUFFICIENT_CREDIT
    town.settle(first)
    assert town.state.accounts[ids["mallory"]].held_ucr == 0


def issue_all_day(town: Town, account: bytes) -> int:
    """What a bank that means no good can issue in three minutes, 400 at a time."""
    before_ucr = -town.state.accounts[town.state.bank].balance_ucr
    for number in range(60):
        if number % 20 == 0:
            town.at_ms += MINUTE_MS
        town.send(c.IssueCredits(account, 400, "more"), BANK)
    return -town.state.accounts[town.state.bank].balance_ucr - before_ucr


@pytest.mark.parametrize(("guarded", "issued"), [(False, 24_000), (True, 6_000)])
def test_inflation_ends_at_the_policy(guarded: bool, issued: int) -> None:
    """60 times 400 credits are 24,000; a policy of 2,000 a minute leaves five postings a minute."""
    town, ids = small_town("ann", credits_ucr=1)
    town.at_ms += MINUTE_MS - town.at_ms % MINUTE_MS
    town.send(policy(2_000 if guarded else None), OPERATOR)
    assert issue_all_day(town, ids["ann"]) == issued


def test_only_the_operator_loosens_the_policy() -> None:
    """A bank cannot help itself, neither by another policy nor by an allowance."""
    town, ids = small_town("ann", credits_ucr=1)
    town.send(policy(100), OPERATOR)
    assert town.send(policy(None), BANK).code is Code.NOT_PERMITTED
    town.send(budget(ids["ann"], allowance_ucr=10**9), BANK)
    town.at_ms += MINUTE_MS
    given = [p.amount_ucr for p in town.tick().of(e.CreditsTransferred) if p.reason is PostingReason.ALLOWANCE]
    assert given == [100]


@pytest.mark.parametrize(("fee_ucr", "offers"), [(0, 250), (4, 27)])
def test_endless_negotiation_costs(fee_ucr: int, offers: int) -> None:
    """A holder that never means to sell keeps its counterpart busy for as many rounds as it may. With a fee for each
    offer it runs out of credits; and 256 rounds are the end in any case."""
    town, ids = small_town("ann", "bob", credits_ucr=120)
    lease = town.bid(cfp := town.cfp(duration_ms=3_600_000), "ann", 20).id
    town.settle(cfp)
    town.send(policy(None, fee_ucr=fee_ucr), OPERATOR)
    town.send(c.IssueCredits(ids["bob"], 10_000, ""), BANK)
    terms = {"protocol": ALTERNATING, "rounds_max": limits.ROUNDS_MAX, "round_ms": 60_000}
    talk = town.send(negotiation(lease, ids["bob"], **terms), ANN).id
    town.send(joined(talk, 50), BOB)
    made = 0
    while made < 250:
        turn = town.state.negotiations[talk].round
        mine = turn % 2 == 1
        answer = town.send(c.MakeOffer(talk, turn, (), 90 if mine else 1), ANN if mine else BOB)
        if answer.code is not Code.ACCEPTED:
            assert answer.code is Code.INSUFFICIENT_CREDIT
            break
        made += mine
        if turn == limits.ROUNDS_MAX:
            town.send(c.LeaveNegotiation(talk), BOB)
            talk = town.send(negotiation(lease, ids["bob"], **terms), ANN).id
            town.send(joined(talk, 50), BOB)
    assert made == offers


def griefed(
    rate: int, way: str, price_ucr: int = 500, reserve_ucr: int = 100, floor_ucr: int = 0
) -> tuple[int, int, int]:
    """A manager has a victim hold its bid for 36 s, ten times, and serves nobody else. What the manager had less of
    afterwards, what the victim had more of, and micro-credits times seconds that were locked."""
    town, ids = small_town("manager's friend", credits_ucr=10_000)
    town.send(c.IssueCredits(ids["manager"], 10_000, ""), BANK)
    keys = key_pair("victim")
    victim = town.send(c.OpenAccount("victim", "elsewhere", "elsewhere", keys.public, bytes(32)), BANK).id
    town.send(c.IssueCredits(victim, 10_000, ""), BANK)
    town.send(c.SetDeposit(rate, floor_ucr), OPERATOR)
    chosen = way in ("lapse", "reject", "favour")
    time = {"open_ms": 18_000, "decide_ms": 18_000} if chosen else {"open_ms": 36_000}
    locked = 0
    for _ in range(10):
        cfp = town.send((managed if chosen else call)(**time, reserve_price_ucr=reserve_ucr), MANAGER).id
        placed = town.send(bid(cfp, price_ucr), keys)
        assert placed.code is Code.ACCEPTED
        favour = town.send(bid(cfp, 100), key_pair("manager's friend")).id if way == "favour" else b""
        locked += 36 * town.state.accounts[victim].held_ucr
        if chosen:
            town.at_ms += 18_000
            town.tick()
        if way == "shrink":
            town.send(c.ResizePool("gpu", 2), MANAGER)
            big = town.send(call(open_ms=50, units=2, duration_ms=40_000), MANAGER).id
            town.send(bid(big, 10), key_pair("manager's friend"))
            town.at_ms += 50
            town.tick()
        town.at_ms += 35_999 - (18_000 if chosen else 0) - (50 if way == "shrink" else 0)
        if way == "cancel":
            town.send(c.CancelCfp(cfp), MANAGER)
        elif way != "lapse" and chosen:
            town.send(c.AwardBid(favour) if favour else c.RejectBid(placed.id), MANAGER)
        for step_ms in (1, 10_000):
            town.at_ms += step_ms
            town.tick()
    pair = sum(town.state.accounts[ids[name]].balance_ucr for name in ("manager", "manager's friend"))
    return 20_000 - pair, town.state.accounts[victim].balance_ucr - 10_000, locked


@pytest.mark.parametrize(
    ("way", "cost"), [("cancel", 990), ("lapse", 1_000), ("reject", 990), ("favour", 990), ("shrink", 1_000)]
)
def test_locking_others_credits_costs(way: str, cost: int) -> None:
    """A manager that lets others hold their credits and serves nobody, by a cancel, by silence, by turning all down, by
    giving its slot to its own budget root, by units that it has sold meanwhile. Without a deposit all that is free;
    with one of a reserve in 36 s it costs ten reserves, which the victim has for its trouble, whatever it bid."""
    assert griefed(0, way) == (0, 0, 180_000)
    assert griefed(RATE, way) == (cost, cost, 180_000)
    assert griefed(RATE, way, 900) == (cost, cost, 324_000)


@pytest.mark.parametrize(("reserve_ucr", "cost"), [(100, 990), (10, 90), (1, 0)])
def test_the_deposit_is_as_large_as_the_reserve_that_the_manager_names(reserve_ucr: int, cost: int) -> None:
    """Without a floor (test_guards_waits.py has one) the same bids are locked for the same time, and what that costs is
    in proportion to the reserve, which whoever attacks chooses itself."""
    assert griefed(RATE, "cancel", reserve_ucr=reserve_ucr) == (cost, cost, 180_000)


def test_an_honest_call_costs_nothing() -> None:
    """Whoever serves has its deposit back, and nobody earns by bidding for what cannot be served."""
    town, ids = small_town("ann", credits_ucr=10_000)
    town.send(c.IssueCredits(ids["manager"], 100, ""), BANK)
    town.send(c.SetDeposit(RATE), OPERATOR)
    keys = stranger(town)
    idle = town.state.account_names["stranger"]
    cfp = town.cfp(open_ms=36_000, reserve_price_ucr=100, duration_ms=3_600_000)
    assert town.state.accounts[ids["manager"]].available_ucr == 0
    town.send(bid(cfp, 100), keys)
    town.bid(cfp, "ann", 101)
    (award,) = town.settle(cfp)
    assert town.state.accounts[ids["manager"]].available_ucr == 100 + award.price_ucr
    later = town.cfp(open_ms=36_000, reserve_price_ucr=100)
    assert town.send(bid(later, 100), keys).code is Code.NO_CAPACITY
    town.settle(later)
    assert town.state.accounts[idle].balance_ucr == 10_000


def sold_to_a_friend(call_ms: int, price_ucr: int, weight: int = 1_000) -> tuple[str, int]:
    """Ann has a slot, and sells it to her friend bob while others would pay 90 for it. Who has it a minute later, and
    what ann was paid."""
    town, ids = small_town("ann", "bob", "dan", credits_ucr=1_000, strangers=True)
    lease = town.bid(cfp := town.cfp(duration_ms=3_600_000), "ann", 20).id
    town.settle(cfp)
    before_ucr = town.state.accounts[ids["ann"]].balance_ucr
    town.send(c.SetWeight(ids["bob"], weight), BANK)
    town.send(c.SetResaleCall(call_ms), OPERATOR)
    talk = town.send(negotiation(lease, ids["bob"]), ANN).id
    town.send(joined(talk, 900), BOB)
    for keys in (ANN, BOB):
        town.send(c.MakeOffer(talk, 1, (), price_ucr), keys)
    town.bid(talk, "dan", 90)
    let_win_ties(town, talk, ids["bob"], ids["dan"])
    town.at_ms += call_ms
    town.tick()
    (held,) = town.state.leases.values()
    paid_ucr = town.state.accounts[ids["ann"]].balance_ucr - before_ucr
    return town.state.accounts[held.account].name, paid_ucr


def test_a_friends_price_is_everybodys() -> None:
    """A deal at a sham price hands a lease to a friend, around the others. Called for, it goes to whoever outbids the
    friend; and whom its weight makes pay twice as much has to do so here too."""
    assert sold_to_a_friend(0, 1) == ("bob", 1)
    assert sold_to_a_friend(5_000, 1)[0] == "dan"
    assert sold_to_a_friend(0, 90, weight=500) == ("bob", 90)
    assert sold_to_a_friend(5_000, 90, weight=500) == ("dan", 90)


def test_claims_keep_no_lease_from_being_sold() -> None:
    """Mallory claims a lease again and again. Her cap is held meanwhile; the holder bargains with bob all the same, and
    then there is nothing to claim."""
    town, ids = small_town("ann", "bob", "mallory", credits_ucr=1_000)
    lease = town.bid(cfp := town.cfp(duration_ms=3_600_000), "ann", 20).id
    town.settle(cfp)
    for _ in range(3):
        wanted = town.send(claim(lease, 700, round_ms=3_600_000), MALLORY)
        assert (wanted.code, town.state.accounts[ids["mallory"]].held_ucr) == (Code.ACCEPTED, 700)
        talk = town.send(negotiation(lease, ids["bob"]), ANN).id
        assert town.send(claim(lease, 700), MALLORY).code is Code.LEASE_IN_NEGOTIATION
        assert town.state.accounts[ids["mallory"]].held_ucr == 0
        town.send(c.LeaveNegotiation(talk), ANN)
    town.send(claim(lease, 700), MALLORY)
    assert town.send(c.ReleaseLease(lease), ANN).code is Code.ACCEPTED


def test_nobody_makes_accounts_for_itself() -> None:
    """A second identity needs the bank, which says which budget root it belongs to; and it brings no credits."""
    town, ids = small_town("mallory")
    opening = c.OpenAccount("mallory 2", "project", "elsewhere", key_pair("second").public, bytes(32))
    assert town.send(opening, MALLORY).code is Code.NOT_PERMITTED
    second = town.send(opening, BANK).id
    assert town.state.accounts[second].balance_ucr == 0
    assert town.send(c.TransferCredits(ids["mallory"], second, 5, ""), MALLORY).code is Code.NOT_PERMITTED


def laundered(rules: int, offset_ms: int, minutes: int = 1) -> tuple[int, int]:
    """Mallory pays an accomplice for a slot before its own window ends, and is paid back after it; the accomplice's
    windows end later by `offset_ms`. What they have left of 1,000 after so many minutes, and what they owe of it."""
    town, ids = small_town(credits_ucr=0, rules=rules)
    town.at_ms += MINUTE_MS - town.at_ms % MINUTE_MS
    pair = ("mallory", "ann")
    for name in pair:
        ids[name] = town.account(name)
        town.pool(name, ids[name], 1)
        own_ms = 0 if name == "mallory" else offset_ms
        town.send(budget(ids[name], limit_ucr=None, decay_permille=100, offset_ms=own_ms), BANK)
    town.send(c.IssueCredits(ids["mallory"], 1_000, ""), BANK)

    def pay(payer: str, seller: str) -> None:
        town.tick()
        amount_ucr = town.state.accounts[ids[payer]].available_ucr
        cfp = town.cfp(key_pair(seller), pool=seller, open_ms=50, duration_ms=100, reserve_price_ucr=amount_ucr)
        town.bid(cfp, payer, amount_ucr)
        (award,) = town.settle(cfp)
        assert award.price_ucr == amount_ucr

    for _ in range(minutes):
        town.at_ms += 50_000 - town.at_ms % MINUTE_MS
        town.tick()
        pay("mallory", "ann")
        town.at_ms += MINUTE_MS - town.at_ms % MINUTE_MS
        town.tick()
        town.at_ms += 10_000
        pay("ann", "mallory")
    accounts = [town.state.accounts[ids[name]] for name in pair]
    return sum(account.balance_ucr for account in accounts), sum(account.owed_ucr for account in accounts)


@pytest.mark.parametrize(("offset_ms", "kept"), [(0, 900), (30_000, 1_000)])
def test_fake_trades_save_credits_from_decay_that_looks_at_an_instant(offset_ms: int, kept: int) -> None:
    """Up to rules version 8 a part of what is free at a window's end decays. Where the windows of the pair end together
    it is the accomplice's part instead; in staggered ones (the default) the credits are away whenever one ends, and the
    pair saves a tenth, each time."""
    assert laundered(8, offset_ms) == (kept, 0)
    assert laundered(8, offset_ms, 6) == (1_000 if offset_ms else 533, 0)


@pytest.mark.parametrize("offset_ms", [0, 1, 9_999, 10_001, 30_000, 59_999])
@pytest.mark.parametrize("minutes", [1, 2, 6, 20])
def test_fake_trades_save_no_credits_from_decay_of_the_average(offset_ms: int, minutes: int) -> None:
    """From version 9 on what the pair has, less what it owes, is what one account would have had, but for the part of a
    window that one of the two windows lags behind."""
    alone = [1_000]
    for _ in range(minutes):
        alone.append(alone[-1] - alone[-1] // 10)
    left_ucr, owed_ucr = laundered(9, offset_ms, minutes)
    window_ucr = alone[-2] - alone[-1]
    assert left_ucr - owed_ucr <= alone[-1] + window_ucr // 4
    assert owed_ucr <= 2 * window_ucr


def test_credits_that_a_bid_holds_decay_as_well() -> None:
    """A bid that holds everything when windows end saved all of it up to version 8. From version 9 on what could not be
    taken is owed, and taken when the bid is over."""
    left = []
    for rules in (8, 9):
        town, ids = small_town("mallory", credits_ucr=1_000, rules=rules)
        town.at_ms += MINUTE_MS - town.at_ms % MINUTE_MS
        town.send(budget(ids["mallory"], limit_ucr=None, decay_permille=100), BANK)
        cfp = town.cfp(open_ms=5 * MINUTE_MS + 1)
        town.bid(cfp, "mallory", 1_000)
        for _ in range(5):
            town.at_ms += MINUTE_MS
            town.tick()
        town.send(c.CancelCfp(cfp), MANAGER)
        assert town.state.accounts[ids["mallory"]].available_ucr == (500 if rules == 9 else 1_000)
        town.at_ms += MINUTE_MS
        town.tick()
        left.append(town.state.accounts[ids["mallory"]].balance_ucr)
    assert left == [900, 400]
