"""Notices keep bids sealed until the close, and then say who won and what it pays."""

from __future__ import annotations

from dataclasses import fields

from contractnet.messages import CfpOutcome, Code, Notice, Winner
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.messages import notices as n
from market import notices_of
from tests.market.town import BANK, MANAGER, OPERATOR, Answer, Town, call, key_pair, small_town

ANN, BOB = key_pair("ann"), key_pair("bob")


def shown(answer: Answer) -> list[Notice]:
    """What agents see of an answer."""
    return notices_of(answer.entries)


def history(bob_bids_ucr: int, bob_delays_ms: int) -> tuple[list[Notice], list[Notice]]:
    """Notices before and at the close of a CFP on which ann and bob bid; bob also withdraws and bids again."""
    town, _ = small_town("ann", "bob")
    sealed = shown(town.send(call(), MANAGER))
    (cfp,) = town.state.cfps
    sealed += shown(town.bid(cfp, "ann", 50))
    first = town.bid(cfp, "bob", bob_bids_ucr, bob_delays_ms)
    sealed += shown(first)
    sealed += shown(town.send(c.WithdrawBid(first.id), BOB))
    sealed += shown(town.bid(cfp, "bob", bob_bids_ucr + 1, bob_delays_ms))
    town.at_ms += 99
    sealed += shown(town.tick())
    town.at_ms += 1
    return sealed, shown(town.tick())


def test_bids_are_sealed_until_the_close() -> None:
    """Two runs that differ in one agent's bids alone show the same until the close, and differ from it on."""
    low, high = history(20, 0), history(80, 500)
    assert low[0] == high[0]
    assert low[1] != high[1]


def test_before_the_close_there_are_receipts_only() -> None:
    """A bid and its withdrawal show a command id and a code: no agent, CFP or amount."""
    sealed, _ = history(20, 0)
    kinds = [type(notice) for notice in sealed]
    assert kinds == [n.Receipt, n.CfpAnnounced, n.Receipt, n.Receipt, n.Receipt, n.Receipt]
    assert {field.name for field in fields(n.Receipt)} == {"command", "code"}


def test_a_receipt_does_not_tell_whose_bid_it_is() -> None:
    """Without the salt, an id follows from neither key nor sequence."""
    ids = set()
    for salts in (0, 100):
        town, _ = small_town("ann")
        town.salts += salts
        ids.add(town.bid(town.cfp(), "ann", 20).id)
    assert len(ids) == 2


def test_the_close_names_winners_and_prices() -> None:
    """Winning bids in rank order with what they pay; losers and their bids are not named."""
    town, _ = small_town("ann", "bob", "cat", units=2)
    cfp = town.cfp(slots=2)
    bids = {name: town.bid(cfp, name, price).id for name, price in (("ann", 30), ("bob", 50), ("cat", 20))}
    town.at_ms += 100
    answer = town.tick()
    awards = answer.of(e.AwardMade)
    assert [award.award for award in awards] == [bids["bob"], bids["ann"]]
    winners = tuple(Winner(award.award, award.price_ucr) for award in awards)
    settled = [notice for notice in shown(answer) if isinstance(notice, n.CfpSettled)]
    assert settled == [n.CfpSettled(cfp, CfpOutcome.AWARDED, winners)]
    assert bids["cat"] not in {getattr(notice, "award", None) for notice in shown(answer)}


def test_a_close_without_awards_and_a_cancel_are_told() -> None:
    """Nobody won, or the manager took it back."""
    town, _ = small_town("ann")
    empty, taken_back = town.cfp(), town.cfp()
    cancelled = town.send(c.CancelCfp(taken_back), MANAGER)
    assert shown(cancelled)[1:] == [n.CfpSettled(taken_back, CfpOutcome.CANCELLED, ())]
    town.at_ms += 100
    assert shown(town.tick()) == [n.CfpSettled(empty, CfpOutcome.UNAWARDED, ())]


def test_a_lease_is_granted_with_its_token_and_revoked() -> None:
    """A gate learns units, interval, secret's hash and the fencing token, and when the lease is over."""
    town, _ = small_town("ann")
    cfp = town.cfp()
    award = town.bid(cfp, "ann", 20, start_delay_ms=300).id
    town.at_ms += 100
    answer = town.tick()
    (granted,) = [notice for notice in shown(answer) if isinstance(notice, n.LeaseGranted)]
    token = next(x.source for x in answer.entries if type(x.event).__name__ == "SlotReserved")
    assert (granted.award, granted.starts_at_ms, granted.ends_at_ms) == (award, town.at_ms + 300, town.at_ms + 1300)
    assert (granted.token_offset, granted.token_index) == (token.offset, token.index)
    town.at_ms += 700
    released = town.send(c.ReleaseLease(award), ANN)
    assert shown(released) == [n.Receipt(released.id, Code.ACCEPTED), n.LeaseRevoked(award, "gpu", town.at_ms)]


def test_pools_and_markets_are_announced_and_money_is_not() -> None:
    """Anyone may know a market and its pools; accounts, credits, keys and weights make receipts only."""
    town = Town(open_market=False)
    announced = shown(town.genesis())
    assert announced[:1] == [n.MarketAnnounced(town.genesis_hash, OPERATOR.public)]
    owner = town.account("ann", credits_ucr=5)
    pool = shown(town.send(c.CreatePool("gpu", owner, 2), BANK))
    assert pool[1:] == [n.PoolAnnounced("gpu", 2)]
    for command in (c.IssueCredits(owner, 1, "memo"), c.SetWeight(owner, 600), c.RegisterKey(owner, BOB.public)):
        answer = town.send(command, BANK)
        assert shown(answer) == [n.Receipt(answer.id, Code.ACCEPTED)]
