"""The independent checker and second identities: it finds sound what the rules make of ties and weights, before and
after version 10 and from a state in between, and it finds a referee that draws or weighs by account."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from analytics.checkpoint import Checkpoint
from analytics.verify import Order, verify
from analytics.verify.source import StoredRecord
from contractnet.messages import Direction, Pricing
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from market import limits, ties
from market.account import Account
from market.rules import clearings
from market.state import Bid, State
from market.ties import Score, Ties
from market.tokens import Order as StandingOrder
from market.tokens import TokenPool
from tests.analytics.towns import OPERATOR, PARTITIONS, Traffic, judged, source_of
from tests.market.buyers import ask, buying
from tests.market.test_pricing import tie_number
from tests.market.town import BANK, MANAGER, key_pair, token_pool

PARTITION = 3
ROOTS = {"ann": "north", "amy": "north", "abe": "north", "bob": "south", "ben": "south", "cat": "west"}
SELLERS = ("ann", "amy", "bob", "cat")
POOL = "provider/chat"
AWARDS, CLEARINGS = "(win, in order|is the critical value)", "(sells what it says|as computed|the pric)"
WEIGHTS = f"(the weight is that of the CFP's opening|{CLEARINGS})"


@dataclass
class Families(Traffic):
    """A market of three budget roots whose bids, asks and orders are often equal."""

    ids: dict[str, bytes] = field(default_factory=dict)
    seats: dict[str, KeyPair] = field(default_factory=dict)

    def open(self) -> None:
        """Under version 9."""
        self.send(c.OpenMarket(BANK.public, PARTITIONS, 9, True), OPERATOR)
        manager = self.send(c.OpenAccount("manager", "infra", "infra", MANAGER.public, bytes(32)), BANK)
        self.send(c.IssueCredits(manager, 10**6, ""), BANK)
        for name, root in ROOTS.items():
            self.join(name, root)
        self.send(c.CreatePool("gpu", manager, 4), BANK)
        for name in SELLERS:
            self.send(c.CreatePool(name, self.ids[name], 50), BANK)
        self.send(token_pool(POOL, manager, tokens_per_minute=6_000, burst_tokens=300), BANK)

    def join(self, name: str, root: str) -> None:
        """An account is opened."""
        self.seats[name] = keys = key_pair(f"{name} of families")
        self.ids[name] = self.send(c.OpenAccount(name, "project", root, keys.public, bytes(32)), BANK)
        self.send(c.IssueCredits(self.ids[name], 10**6, ""), BANK)

    def weigh(self) -> None:
        """A weight changes."""
        self.send(c.SetWeight(self.ids[self.random.choice(list(ROOTS))], self.random.choice((500, 800, 1000))), BANK)

    def round(self) -> None:
        """A sale, a purchase and a clearing, with ties; a weight changes between opening and bids, now and then."""
        r = self.random
        sale = (1, 100, r.randint(1, 3), 100, 10, r.choice((Pricing.SECOND, Pricing.FIRST)))
        sold = self.send(c.CallForProposals(Direction.SELL, "gpu", *sale), MANAGER)
        bought = self.send(buying(slots=r.randint(1, 2), duration_ms=100), MANAGER)
        if r.random() < 0.3:
            self.weigh()
        for name in r.sample(list(ROOTS), 5):
            self.send(c.PlaceBid(sold, r.choice((20, 40, 40)), 0, "", bytes(32), None), self.seats[name])
        for name in r.sample(SELLERS, 3):
            self.send(ask(bought, name, r.choice((50, 50, 60))), self.seats[name])
        for name in r.sample(list(ROOTS), 3):
            self.send(c.PlaceStandingOrder(POOL, 200, r.choice((1_000, 2_000)), "chat", 3_000), self.seats[name])
        self.at_ms += 2_500
        self.tick()


def families() -> Families:
    """Rounds under version 9, the rules change while calls are open, and rounds under version 10."""
    made = Families("default", 7)
    made.open()
    for _ in range(12):
        made.round()
    for _ in range(2):
        made.weigh()
        made.cfps.append(
            made.send(c.CallForProposals(Direction.SELL, "gpu", 1, 100, 1, 9_000, 10, Pricing.SECOND), MANAGER)
        )
    for name in ("ann", "bob"):
        made.send(c.PlaceBid(made.cfps[0], 40, 0, "", bytes(32), None), made.seats[name])
    made.send(c.ActivateRules(10), OPERATOR)
    made.join("ava", "north")
    for cfp in made.cfps:
        for name in ("amy", "ava", "cat"):
            made.send(c.PlaceBid(cfp, 40, 0, "", bytes(32), None), made.seats[name])
    for _ in range(25):
        made.round()
    return made


def problem(records: list[StoredRecord], start: Checkpoint | None = None) -> str:
    """What verify says of a market as the rules judge it now; empty where it is sound."""
    report, _ = verify(source_of(judged({PARTITION: records})), Order(OPERATOR.public, start=start))
    return "" if report.sound else str(report.divergence)


@pytest.fixture(scope="module")
def commands() -> Families:
    """The market."""
    return families()


def test_it_is_found_sound(commands: Families) -> None:
    """Under both versions."""
    assert problem(commands.records) == ""


@pytest.mark.parametrize("rounds", [0.4, 0.6, 0.8])
def test_it_is_found_sound_from_a_state(commands: Families, rounds: float) -> None:
    """From a checkpoint in the middle, whose state says whose weight was ever changed."""
    first = commands.records[: int(rounds * len(commands.records))]
    _, middle = verify(source_of(judged({PARTITION: first})), Order(OPERATOR.public))
    assert middle is not None
    assert problem(commands.records, middle) == ""


def own_weight(state: State, account: Account, epoch: int) -> int:
    """As before version 10."""
    return account.weight_at(epoch)


def least_of_open(state: State, account: Account, epoch: int) -> int:
    """The least of the accounts that have something open: the others are forgotten."""
    if state.rules_version < 10:
        return account.weight_at(epoch)
    kin = (a for a in state.accounts.values() if a.budget_root == account.budget_root)
    return min(a.weight_at(epoch) for a in kin if a.open_bids or a is account)


def by_account(ties: Ties, bids: Iterable[Bid], score: Score) -> list[Bid]:
    """As before version 10."""
    return sorted(bids, key=lambda bid: (score(bid), tie_number(ties.head, ties.cfp, bid.account)))


def by_root_at_once(ties: Ties, bids: Iterable[Bid], score: Score) -> list[Bid]:
    """The root that comes first has all its bids there."""

    def place(bid: Bid) -> tuple[Any, bytes, bytes]:
        root = ties.state.accounts[bid.account].budget_root.encode()
        lots = [tie_number(ties.head, ties.cfp, name) for name in (root, bid.account)]
        return score(bid), lots[0], lots[1]

    return by_account(ties, bids, score) if ties.state.rules_version < 10 else sorted(bids, key=place)


@pytest.mark.parametrize(
    ("where", "name", "instead", "rule"),
    [
        (State, "weight_at", own_weight, WEIGHTS),
        (State, "weight_at", least_of_open, WEIGHTS),
        (Ties, "rank", by_account, AWARDS),
        (Ties, "rank", by_root_at_once, AWARDS),
        (limits, "ROOT_WEIGHTS_RULES_VERSION", 9, WEIGHTS),
        (limits, "ROOT_WEIGHTS_RULES_VERSION", 11, WEIGHTS),
        (ties, "ROOT_TIES_RULES_VERSION", 9, AWARDS),
        (ties, "ROOT_TIES_RULES_VERSION", 11, AWARDS),
    ],
)
def test_another_referee_is_found_out(
    commands: Families, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, instead: Any, rule: str
) -> None:
    """One that draws ties or weighs bids in another way, or from another version on, whose every record verify's own
    re-run finds right."""
    monkeypatch.setattr(where, name, instead)
    said = problem(commands.records)
    assert re.search(f"independent checker: .*{rule}", said), said


def test_another_clearing_is_found_out(commands: Families, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that looks at the accounts that order alone."""

    def weights(state: State, pool: TokenPool, orders: list[StandingOrder]) -> dict[str, int]:
        mine: dict[str, int] = {}
        for order in orders:
            account = state.accounts[order.account]
            weight = account.weights[-1][1]
            mine[account.budget_root] = min(weight, mine.get(account.budget_root, weight))
        return {root: weight * pool.factor_permille(root) for root, weight in mine.items()}

    monkeypatch.setattr(clearings, "_weights", weights)
    said = problem(commands.records)
    assert re.search(f"independent checker: .*{CLEARINGS}", said), said
