"""What the markets of towns.py do beside contracts: they trade tokens of an API, hoard credits, change keys, and sell
leases on."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from contractnet.messages import Direction, NegotiationProtocol, Pricing
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from tests.market.town import BANK, MANAGER, budget, key_pair, token_pool

if TYPE_CHECKING:
    from tests.analytics.towns import Traffic

POOL, INTERVAL_MS = "provider/chat", 1_000
SYSTEM = 5
"""The agent that draws tokens."""


def open_tokens(town: Traffic, owner: bytes) -> None:
    """A token pool, and a System agent."""
    town.send(token_pool(POOL, owner, tokens_per_minute=6_000, burst_tokens=300), BANK)
    town.send(c.SetPriority(town.accounts[SYSTEM], True), town.operator)


def trade_tokens(town: Traffic) -> None:
    """Some order, one takes its order back, the System agent draws; the pool is cleared, and usage is told, some of it
    throttled. Now and then the pool gets other terms."""
    r = town.random
    buyers = r.sample(range(SYSTEM), r.randint(1, 3))
    orders = [(town.send(_order(town), town.agents[i]), i) for i in buyers]
    if r.random() < 0.3:
        town.send(_order(town), town.agents[buyers[0]])
    if r.random() < 0.3:
        town.send(c.CancelStandingOrder(orders[-1][0]), town.agents[orders[-1][1]])
    drawn = town.send(c.DrawTokens(POOL, r.choice((1, 20, 400)), r.choice(("incident", ""))), town.agents[SYSTEM])
    town.at_ms += INTERVAL_MS
    town.tick()
    cleared_ms = town.records[-1].timestamp
    granted = [(_grant_id(order, cleared_ms), town.agents[i]) for order, i in orders]
    for grant, keys in (*granted, (drawn, town.agents[SYSTEM])):
        calls = r.randint(0, 2)
        report = (r.choice((0, 1, 5, 500)), calls, calls if r.random() < 0.5 else 0)
        town.send(c.ReportUsage(grant, *report, "chat"), keys)
    if r.random() < 0.2:
        changes = {"tokens_per_minute": r.choice((60, 6_000)), "reserve_per_1000_ucr": r.choice((0, 100))}
        town.send(token_pool(POOL, b"", resize=True, burst_tokens=r.choice((200, 300)), **changes), BANK)
    for _ in range(r.randint(0, 3)):
        town.at_ms += INTERVAL_MS
        town.tick()


def _order(town: Traffic) -> c.PlaceStandingOrder:
    r = town.random
    return c.PlaceStandingOrder(POOL, r.randint(1, 200), r.randint(1, 3_000), "chat", r.choice((1_000, 3_000)))


def _grant_id(order: bytes, cleared_ms: int) -> bytes:
    """Id of what an order got at a clearing (docs/tokens.md)."""
    return sha256(b"contractnet/grant/1" + order + cleared_ms.to_bytes(8, "big")).digest()[:16]


def change_keys(town: Traffic) -> None:
    """An agent gets another key and goes on with it; keys that have ended are tried. Once the operator's goes too."""
    r = town.random
    i = r.randrange(len(town.agents))
    keys, other = town.agents[i], key_pair(f"key {len(town.records)} of {town.market}")
    how = r.randrange(4)
    if how == 0:
        town.send(c.RotateKey(other.public, None), keys)
    elif how == 1:
        town.send(c.RegisterKey(town.accounts[i], other.public, town.at_ms + r.choice((50, 10**9))), keys)
        town.at_ms += 60
        town.send(c.TransferCredits(town.accounts[i], town.accounts[0], 1, ""), other)
        return
    elif how == 2:
        town.send(c.RegisterKey(town.accounts[i], other.public), BANK)
        town.send(c.RevokeKey(town.accounts[i], keys.public), r.choice((BANK, other)))
    else:
        town.send(c.RotateKey(other.public), town.operator)
        town.operator = other
        return
    town.send(c.RefuseCfp(town.cfps[-1] if town.cfps else bytes(16), ""), keys)
    town.agents[i] = other


def sell_on(town: Traffic) -> None:
    """Somebody gets a lease and sells it on, or somebody else claims it: a deal that is called for, or not, with bids
    of others, and what must not be done meanwhile."""
    r = town.random
    town.send(c.SetResaleCall(r.choice((0, 80, 300, 300, 5_000))), town.operator)
    cfp = town.send(c.CallForProposals(Direction.SELL, "rack", 1, 4_000, 1, 50, 10, Pricing.SECOND), MANAGER)
    holder, buyer, *others = r.sample(range(len(town.agents)), 5)
    keys = (town.agents[holder], town.agents[buyer])
    lease = town.send(c.PlaceBid(cfp, 60, 0, "train", bytes(32), None), keys[0])
    town.at_ms += 50
    town.tick()
    monotonic = r.random() < 0.5
    protocol = NegotiationProtocol.MONOTONIC if monotonic else NegotiationProtocol.ALTERNATING
    terms = (protocol, (), 5, 400)
    if r.random() < 0.5:
        talk = town.send(c.ClaimLease(lease, *terms, 1, 90, "serve", bytes(32)), keys[1])
        town.send(c.ClaimLease(lease, *terms, 1, 90, "serve", bytes(32)), town.agents[others[0]])
        if r.random() < 0.3:
            town.send(c.OpenNegotiation(lease, town.accounts[others[0]], *terms, 1), keys[0])
        town.send(c.JoinNegotiation(talk, r.choice((0, 0, 0, 7)), "", bytes(32)), r.choice((keys[0], keys[0], keys[1])))
    else:
        talk = town.send(c.OpenNegotiation(lease, town.accounts[buyer], *terms, 1), keys[0])
        town.send(c.JoinNegotiation(talk, 90, "serve", bytes(32)), keys[1])
    price_ucr = r.randint(20, 80)
    town.send(c.MakeOffer(talk, 1, (), price_ucr), keys[0])
    town.send(c.MakeOffer(talk, 1, (), price_ucr) if monotonic else c.AcceptOffer(talk, 1), keys[1])
    wrong = (
        (c.WithdrawBid(talk), keys[1]),
        (c.CancelCfp(talk), keys[0]),
        (c.ReleaseLease(lease), keys[0]),
        (c.OpenNegotiation(lease, town.accounts[buyer], *terms, 1), keys[0]),
        (c.LeaveNegotiation(talk), r.choice(keys)),
    )
    for command, who in r.sample(wrong, 2):
        town.send(command, who)
    for other in r.sample(others, 2):
        bid = c.PlaceBid(talk, r.randint(15, 120), r.choice((0, 0, 0, 9)), "train", bytes(32), None)
        town.send(bid, town.agents[other])
    town.at_ms += r.choice((80, 300, 300, 5_000))
    town.tick()


def hoard(town: Traffic, manager: KeyPair) -> None:
    """A new account bids nearly all that it has when a window of its budget ends; then it cannot spend what it owes,
    and pays at the end of the next one, or owes on without a budget."""
    r = town.random
    keys = key_pair(f"hoarder {len(town.records)} of {town.market}")
    name = f"hoarder-{len(town.records)}"
    account = town.send(c.OpenAccount(name, "hoard", name, keys.public, bytes(32)), BANK)
    town.send(c.IssueCredits(account, 400, "to hoard"), BANK)
    town.send(c.TransferCredits(r.choice(town.accounts), account, 400, ""), BANK)
    terms = {"limit_ucr": None, "decay_permille": 500, "offset_ms": (town.at_ms + 30_000) % 60_000}
    town.send(budget(account, **terms), BANK)
    wanted = c.CallForProposals(Direction.SELL, "rack", 1, 100, 1, 80_000, 10, Pricing.SECOND)
    cfp = town.send(wanted, manager)
    town.send(c.PlaceBid(cfp, r.choice((380, 790)), 0, "hoard", bytes(32), None), keys)
    town.at_ms += 35_000
    town.tick()
    town.send(c.CancelCfp(cfp), manager)
    town.send(c.TransferCredits(account, town.accounts[0], 800, ""), BANK)
    if r.random() < 0.5:
        town.send(c.TransferCredits(account, town.accounts[0], 150, ""), BANK)
    if r.random() < 0.2:
        town.send(c.ClearBudget(account, ""), BANK)
    town.at_ms += 60_000
    town.tick()
    town.send(c.ClearBudget(account, ""), BANK)
