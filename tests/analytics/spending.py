"""A market in which credits are spent in every way that there is, around a full hour; and its published ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from contractnet.codec import encode
from contractnet.messages import Code, Command, Pricing
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.signing import KeyPair
from projections.decode import LedgerRecord
from projections.layout import Layout
from projections.publish import Publisher
from projections.settings import ProjectionSettings
from projections.store import Store
from tests.market.buyers import ask, buying, done, failed, started
from tests.market.cases_negotiations import joined, negotiation
from tests.market.town import BANK, MANAGER, OPERATOR, START_MS, Town, bid, budget, call, key_pair, token_pool

PROJECTS = {"ann": "alpha", "bob": "alpha", "cyn": "beta", "dan": "beta"}
GIVEN_UCR = 10_000
T0_MS = START_MS + 57 * 60_000
"""2027-01-15 08:57 UTC."""
ODD = '[bold]o\'dd, "task"'
"""Somebody's task, as odd as the market lets it be."""


@dataclass
class Spending:
    """The town, the ids of its accounts by name, and what they had after each instant."""

    town: Town = field(default_factory=lambda: Town(open_market=False))
    ids: dict[str, bytes] = field(default_factory=dict)
    balances: dict[int, dict[bytes, int]] = field(default_factory=dict)
    """By market time in milliseconds; the last record of an instant counts."""

    def send(self, command: Command, keys: KeyPair | str) -> bytes:
        """A command that is accepted; its id."""
        answer = self.town.send(command, key_pair(keys) if isinstance(keys, str) else keys)
        assert answer.code is Code.ACCEPTED, answer
        self._note()
        return answer.id

    def to(self, seconds: float) -> None:
        """Let the market's time go on to so many seconds after T0, in steps that it takes."""
        end_ms = T0_MS + round(seconds * 1000)
        while self.town.at_ms < end_ms:
            self.town.at_ms = min(end_ms, self.town.at_ms + 50_000)
            self.town.tick()
            self._note()

    def lease(self, name: str, price_ucr: int, seconds: int, units: int = 1, task: str = "", others: int = 0) -> bytes:
        """A slot of the rack that somebody wins at its own price, maybe against a lower bid of bob; the award."""
        cfp = self.send(call(pool="rack", units=units, duration_ms=seconds * 1000, pricing=Pricing.FIRST), MANAGER)
        won = self.send(bid(cfp, price_ucr, 0, task), name)
        if others:
            self.send(bid(cfp, others, 0, "never"), "bob")
        self.to((self.town.at_ms - T0_MS) / 1000 + 0.1)
        return won

    def work(self, price_ucr: int) -> bytes:
        """Work for half a minute that bob buys and dan does on a unit of his own; the award."""
        terms = {"bond_ucr": 50, "delay_cost_per_s_ucr": 2, "start_within_ms": 60_000, "grace_ms": 30_000}
        wanted = buying(duration_ms=30_000, reserve_price_ucr=300, pricing=Pricing.FIRST, **terms)
        asked = self.send(ask(self.send(wanted, "bob"), "own", price_ucr, task="render"), "dan")
        self.to((self.town.at_ms - T0_MS) / 1000 + 0.1)
        return asked

    def deal(self, lease: bytes, holder: str, buyer: str, price_ucr: int, task: str) -> bytes:
        """What is left of a lease goes to somebody else, or is called for, at a price that both name at once."""
        talk = self.send(negotiation(lease, self.ids[buyer]), holder)
        self.send(joined(talk, price_ucr + 10, task), buyer)
        for name in (holder, buyer):
            self.send(c.MakeOffer(talk, 1, (), price_ucr), name)
        return talk

    def _note(self) -> None:
        state = self.town.state
        self.balances[state.now_ms] = {ident: account.balance_ucr for ident, account in state.accounts.items()}


def played() -> Spending:
    """The whole story; test_attribution.py counts it by hand."""
    day = Spending()
    day.town.at_ms = T0_MS
    day.town.genesis()
    day.ids["manager"] = day.send(c.OpenAccount("manager", "infra", "infra", MANAGER.public, bytes(32)), BANK)
    for name, project in PROJECTS.items():
        day.ids[name] = day.send(c.OpenAccount(name, project, project, key_pair(name).public, bytes(32)), BANK)
        day.send(c.IssueCredits(day.ids[name], GIVEN_UCR, ""), BANK)
    # The memo is such that bob wins the tie at the price of the call for dan's lease: it pays 40 and not 41.
    day.send(c.IssueCredits(day.ids["manager"], GIVEN_UCR, "cc"), BANK)
    day.send(c.CreatePool("rack", day.ids["manager"], 4), BANK)
    day.send(c.CreatePool("own", day.ids["dan"], 2), BANK)
    day.send(token_pool("provider/chat", day.ids["manager"], reserve_per_1000_ucr=5_000, grant_ms=10_000), BANK)
    day.send(budget(day.ids["ann"], limit_ucr=1_000, window_ms=3_600_000), BANK)
    day.send(budget(None, "alpha", limit_ucr=5_000, window_ms=86_400_000), BANK)
    _leases(day)
    _work(day)
    _tokens_and_deposit(day)
    day.to(300)
    day.send(c.ResizePool("rack", 6), MANAGER)
    day.send(c.TransferCredits(day.ids["ann"], day.ids["bob"], 500, "moved"), BANK)
    day.send(c.IssueCredits(day.ids["cyn"], 111, ""), BANK)
    day.to(420)
    return day


def _leases(day: Spending) -> None:
    """One is sold on at once, one after a call, one released early, one never used."""
    day.to(10)
    train = day.lease("ann", 600, 360, units=2, task="train", others=400)
    short = day.lease("bob", 100, 240)
    day.lease("cyn", 70, 60, task=ODD)
    day.to(70)
    day.send(c.ReleaseLease(short), "bob")
    day.to(90)
    day.send(c.SetPolicy(None, 60_000, 2), OPERATOR)
    day.deal(train, "ann", "cyn", 250, "serve")
    day.send(c.SetResaleCall(500), OPERATOR)
    later = day.lease("dan", 90, 200, task="eval")
    resale = day.deal(later, "dan", "cyn", 40, "tune")
    day.send(bid(resale, 55, 0, "tune"), "bob")
    day.to(92)


def _work(day: Spending) -> None:
    """Done ten seconds late, failed, and never heard of again."""
    late = day.work(200)
    day.to(102.5)
    day.send(started(late), "dan")
    day.to(120)
    day.send(done(late), "dan")
    bad = day.work(120)
    day.send(failed(bad), "dan")
    day.work(110)
    day.to(182)


def _tokens_and_deposit(day: Spending) -> None:
    """Ann gets tokens and uses some; the manager takes back a call on which two have bid."""
    day.send(c.PlaceStandingOrder("provider/chat", 50, 20_000, "chat", 10_000), "ann")
    before = len(day.town.answers)
    day.to(184)
    (grant,) = [event for answer in day.town.answers[before:] for event in answer.of(e.TokensGranted)]
    day.send(c.ReportUsage(grant.grant, 30, 2, 0, ""), "ann")
    day.to(190)
    day.send(c.SetDeposit(1_000_000), OPERATOR)
    cfp = day.send(call(pool="rack", reserve_price_ucr=100, open_ms=36_000), MANAGER)
    for name in ("ann", "cyn"):
        day.send(bid(cfp, 300), name)
    day.to(208)
    day.send(c.CancelCfp(cfp), MANAGER)
    day.send(c.SetDeposit(0), OPERATOR)


def publish(town: Town, data_dir: Path) -> None:
    """Project the town's ledger, in small segments, as the projector does."""
    settings = ProjectionSettings(bootstrap="none:1", data_dir=data_dir, seal_rows=40, seal_grace_offsets=20)
    layout = Layout(data_dir)
    layout.create()
    store = Store(layout, settings)
    entries = [entry for answer in town.answers for entry in answer.entries]
    key, partition = town.market.encode(), town.shard.partition
    records = [LedgerRecord(partition, n, key, encode(entry), bytes(32)) for n, entry in enumerate(entries)]
    for start in range(0, len(records), 100):
        store.apply(records[start : start + 100])
        store.seal_due()
    Publisher(store, settings).publish()
    store.close()
