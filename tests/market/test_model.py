"""Random histories: the market does what an independent model does, code by code and credit by credit.

The run counts what it reached. An award, an event or a code that no history reached would make the comparison empty.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from contractnet.messages import Awarder, Code, Direction, Event, Pricing
from contractnet.messages import commands as c
from tests.market.directed import SCENARIOS
from tests.market.histories_budgets import Budgeting, amounts, banks
from tests.market.histories_negotiations import Bargaining
from tests.market.histories_purchases import PurchaseHistories
from tests.market.histories_tokens import TokenHistories
from tests.market.play import Play, Reached, with_small_limits
from tests.market.town import BANK, INBOX_KEY, OPERATOR, PARTITIONS, UNKNOWN_ID, bid, call, managed

REACHED = Reached()

EVENTS = {kind.__name__ for kind in Event.__subclasses__()}
CODES = set(Code) - {Code.UNSPECIFIED}

AGENTS = ("ann", "bob", "cat", "dan")
numbers = st.integers(0, 1_000)
ends_ms = st.sampled_from([None, None, None, -5, 0, 40, 500])
agents = st.sampled_from(AGENTS)
anyone = st.sampled_from([*AGENTS, *AGENTS, "manager", "bank", "operator", "nobody"])
sellers = st.sampled_from(["manager"] * 6 + ["ann", "operator"])
names = st.sampled_from(["gpu", "tpu", "cpu", "x" * 64, "x" * 65, "", "nul\0", "e\u0301", "\u202etpu", "ok \u00e9"])
delays_ms = st.sampled_from([0, 0, 0, 100, 150, 900, -1, 24 * 3600 * 1000 + 1])
steps_ms = st.sampled_from([0, 1, 10, 49, 50, 99, 100, 101, 500, 2_000, 29_999, 30_000, 60_001, 10**7, -500])
sequences = st.sampled_from([-(2**63), -5, 1, 2, 3, 10, 2**63 - 1])


class Histories(PurchaseHistories, Bargaining, Budgeting, TokenHistories):
    """What may happen to a market, in any order."""

    def __init__(self) -> None:
        super().__init__(REACHED)

    def teardown(self) -> None:
        """Give the limits back."""
        self.patch.undo()

    @initialize(
        signed=st.booleans(), units=st.integers(1, 3), version=st.sampled_from([1, 4, 5, 6, 7, 8, 9, 10, 11, 11])
    )
    def begin(self, signed: bool, units: int, version: int) -> None:
        """A bank, a manager with a pool, four agents with little money."""
        self.play.pairs[BANK.public] = BANK
        self.play.send(c.OpenMarket(BANK.public, PARTITIONS, version, signed), OPERATOR)
        manager = self.play.open_account("manager").id
        self.play.by("bank", c.CreatePool("gpu", manager, units))
        for name in AGENTS:
            self.play.open_account(name, credits_ucr=300)

    @rule(step_ms=steps_ms)
    def wait(self, step_ms: int) -> None:
        """The broker's clock moves, seldom back."""
        self.play.town.at_ms += step_ms

    @rule(step_ms=steps_ms)
    def tick(self, step_ms: int) -> None:
        """The clock's command."""
        self.play.town.at_ms += step_ms
        self.play.tick()

    @rule(
        units=st.sampled_from([1, 1, 1, 2]),
        slots=st.integers(1, 3),
        reserve=st.sampled_from([1, 10, 20]),
        pricing=st.sampled_from([Pricing.SECOND, Pricing.SECOND, Pricing.FIRST]),
        offers=st.lists(st.tuples(agents, st.integers(5, 50), st.sampled_from([0, 0, 100, 150])), max_size=5),
        end_ms=st.sampled_from([0, 99, 100, 150]),
    )
    def auction(
        self, units: int, slots: int, reserve: int, pricing: Pricing, offers: list[tuple[str, int, int]], end_ms: int
    ) -> None:
        """A CFP with bids, seen to its end or not."""
        wanted = call(units=units, slots=slots, reserve_price_ucr=reserve, pricing=pricing, duration_ms=250)
        cfp = self.play.by("manager", wanted).id
        self.cfps.append(cfp)
        for name, price, delay_ms in offers:
            self.bids.append(self.play.by(name, bid(cfp, price, delay_ms)).id)
        self.play.town.at_ms += end_ms
        self.play.tick()

    @rule(
        terms=st.fixed_dictionaries(
            {"slots": st.integers(1, 3), "units": st.sampled_from([1, 1, 2]), "decide_ms": st.sampled_from([100, 500])}
        ),
        offers=st.lists(st.tuples(agents, st.integers(5, 50), st.sampled_from([0, 0, 100])), max_size=5),
        end_ms=st.sampled_from([0, 100, 100, 150]),
        choices=st.lists(st.tuples(numbers, st.booleans(), st.sampled_from([0, 0, 60, 200])), max_size=4),
    )
    def managed_auction(
        self,
        terms: dict[str, int],
        offers: list[tuple[str, int, int]],
        end_ms: int,
        choices: list[tuple[int, bool, int]],
    ) -> None:
        """A CFP that its manager awards, with bids, and what the manager makes of them."""
        cfp = self.play.by("manager", managed(**terms, duration_ms=250)).id
        self.cfps.append(cfp)
        for name, price, delay_ms in offers:
            self.bids.append(self.play.by(name, bid(cfp, price, delay_ms)).id)
        self.play.town.at_ms += end_ms
        self.play.tick()
        for number, accept, step_ms in choices:
            ident = self.pick(self.bids, number)
            self.play.by("manager", c.AwardBid(ident) if accept else c.RejectBid(ident))
            self.play.town.at_ms += step_ms

    second_managed_auction = third_managed_auction = managed_auction

    @rule(
        chosen=st.lists(st.sampled_from([*AGENTS, *AGENTS, "manager", "bank", "nobody"]), max_size=4),
        offers=st.lists(st.tuples(agents, st.integers(5, 50)), max_size=4),
        make=st.sampled_from([call, managed]),
        end_ms=st.sampled_from([0, 100]),
    )
    def private_auction(
        self,
        chosen: list[str],
        offers: list[tuple[str, int]],
        make: Callable[..., c.CallForProposals],
        end_ms: int,
    ) -> None:
        """A CFP by invitation, with bids of whoever likes, seen to its deadline or not."""
        cfp = self.play.by("manager", make(invited=tuple(map(self.play.account, chosen)), duration_ms=250)).id
        self.cfps.append(cfp)
        for name, price in offers:
            self.bids.append(self.play.by(name, bid(cfp, price)).id)
        self.play.town.at_ms += end_ms
        self.play.tick()

    second_private_auction = private_auction

    @rule(
        who=st.sampled_from(["operator"] * 5 + ["bank", "ann"]),
        limit=st.one_of(st.none(), amounts),
        fee=st.sampled_from([0, 0, 1, 40, -1]),
    )
    def policy(self, who: str, limit: int | None, fee: int) -> None:
        """The operator, or somebody else, bounds what the bank issues."""
        self.play.by(who, c.SetPolicy(limit, 60_000, fee))

    @rule(
        who=st.sampled_from(["operator"] * 5 + ["manager"]),
        rate=st.sampled_from([0, 10**6, 10**6, 999, 10**6 + 1]),
        floor=st.sampled_from([0, 0, 0, 10**5, 10**6, -1]),
    )
    def deposit(self, who: str, rate: int, floor: int) -> None:
        """The operator, or somebody else, has managers deposit; the manager is given something for it."""
        self.play.by("bank", c.IssueCredits(self.play.account("manager"), 9, ""))
        self.play.by(who, c.SetDeposit(rate, floor))

    @rule(who=sellers, number=numbers, accept=st.booleans())
    def decide(self, who: str, number: int, accept: bool) -> None:
        """The manager, or somebody else, decides on a bid."""
        ident = self.pick(self.bids, number)
        self.play.by(who, c.AwardBid(ident) if accept else c.RejectBid(ident))

    @rule(who=anyone, number=numbers, reason=st.sampled_from(["", "no need", "x" * 65]))
    def refuse(self, who: str, number: int, reason: str) -> None:
        """Somebody does not bid."""
        self.play.by(who, c.RefuseCfp(self.pick(self.cfps, number), reason))

    # Several times in the list of rules, so that it comes more often.
    second_auction = third_auction = fourth_auction = auction

    @rule(
        seller=sellers,
        pool=names,
        odd=st.sampled_from(
            [
                {},
                {"units": 0},
                {"units": 4},
                {"slots": 65},
                {"duration_ms": 99},
                {"open_ms": 49},
                {"open_ms": 5_000},
                {"reserve_price_ucr": 0},
                {"pricing": Pricing.UNSPECIFIED},
                {"direction": Direction.UNSPECIFIED},
                {"award": Awarder.UNSPECIFIED},
                {"award": Awarder.MANAGER, "decide_ms": 200},
                {"award": Awarder.MANAGER, "decide_ms": 99, "pricing": Pricing.FIRST},
                {"award": Awarder.MANAGER, "decide_ms": 24 * 3600 * 1000, "pricing": Pricing.FIRST},
                {"decide_ms": 200},
            ]
        ),
    )
    def open_cfp(self, seller: str, pool: str, odd: dict[str, object]) -> None:
        """A CFP that may break a rule."""
        self.cfps.append(self.play.by(seller, call(**({"pool": pool, "slots": 2} | odd))).id)

    @rule(who=anyone, number=numbers, price=amounts, delay_ms=delays_ms, task=names)
    def place_bid(self, who: str, number: int, price: int, delay_ms: int, task: str) -> None:
        """A bid that may break a rule."""
        self.bids.append(self.play.by(who, bid(self.pick(self.cfps, number), price, delay_ms, task)).id)

    @rule(who=agents, number=numbers, price=st.integers(5, 50), delay_ms=st.sampled_from([0, 100, 150]))
    def place_good_bid(self, who: str, number: int, price: int, delay_ms: int) -> None:
        """A bid on a recent CFP."""
        self.bids.append(self.play.by(who, bid(self.pick(self.cfps, number), price, delay_ms)).id)

    @rule(
        who=agents,
        first=numbers,
        offers=st.lists(st.tuples(st.integers(5, 50), st.sampled_from([0, 0, 0, 100])), min_size=1, max_size=4),
        group=st.sampled_from([b"g" * 16, b"h" * 16, b"i" * 16, None]),
        wins_max=st.sampled_from([1, 1, 1, 2, 2, 3, 0, 5]),
    )
    def bid_in_a_group(
        self, who: str, first: int, offers: list[tuple[int, int]], group: bytes | None, wins_max: int
    ) -> None:
        """Bids of one group on recent CFPs."""
        for place, (price, delay_ms) in enumerate(offers):
            command = c.PlaceBid(
                self.pick(self.cfps, first + place), price, delay_ms, "", bytes(32), None, group, wins_max
            )
            self.bids.append(self.play.by(who, command).id)

    bids_in_a_group = bid_in_a_group

    @rule(who=anyone, number=numbers, owned=st.booleans())
    def withdraw(self, who: str, number: int, owned: bool) -> None:
        """The bidder, or somebody else, takes a bid back."""
        ident = self.pick(self.bids, number)
        owner = [b["account"] for x in self.play.model.cfps.values() for b in x["bids"] if b["id"] == ident]
        name = self.play.model.accounts[owner[0]]["name"] if owner and owned else who
        self.play.by(name, c.WithdrawBid(ident))

    @rule(who=anyone, number=numbers, owned=st.booleans())
    def release(self, who: str, number: int, owned: bool) -> None:
        """The holder, or somebody else, gives a lease back."""
        leases = list(self.play.model.leases)
        ident = self.pick(leases, number)
        if owned and ident in leases:
            who = self.play.model.accounts[self.play.model.leases[ident]["account"]]["name"]
        self.play.by(who, c.ReleaseLease(ident))

    @rule(who=sellers, number=numbers)
    def cancel(self, who: str, number: int) -> None:
        """A CFP is taken back."""
        self.play.by(who, c.CancelCfp(self.pick(self.cfps, number)))

    @rule(who=sellers, pool=names, units=st.sampled_from([0, 1, 2, 3, 4, 10**6 + 1]))
    def resize(self, who: str, pool: str, units: int) -> None:
        """A pool changes its size."""
        self.play.by(who, c.ResizePool(pool, units))

    @rule(who=banks, pool=names, owner=anyone, units=st.sampled_from([0, 1, 3, 10**6 + 1]))
    def create_pool(self, who: str, pool: str, owner: str, units: int) -> None:
        """Another pool."""
        self.play.by(who, c.CreatePool(pool, self.play.account(owner), units))

    @rule(who=banks, name=names)
    def open_account(self, who: str, name: str) -> None:
        """Another account."""
        self.play.open_account(name, by=who)

    @rule(who=banks, account=anyone, weight=st.sampled_from([499, 500, 600, 750, 1000, 1001]))
    def set_weight(self, who: str, account: str, weight: int) -> None:
        """A weight changes."""
        self.play.by(who, c.SetWeight(self.play.account(account), weight))

    @rule(who=banks, account=anyone, amount=amounts, memo=names)
    def issue(self, who: str, account: str, amount: int, memo: str) -> None:
        """New credits."""
        self.play.by(who, c.IssueCredits(self.play.account(account), amount, memo))

    @rule(who=banks, debit=anyone, credit=anyone, amount=amounts)
    def transfer(self, who: str, debit: str, credit: str, amount: int) -> None:
        """Credits move."""
        self.play.by(who, c.TransferCredits(self.play.account(debit), self.play.account(credit), amount, ""))

    @rule(who=anyone, account=anyone, label=st.sampled_from("uvwxyz"), own=st.booleans(), end_ms=ends_ms)
    def register_key(self, who: str, account: str, label: str, own: bool, end_ms: int | None) -> None:
        """Another key."""
        ident = self.play.account(who if own else account)
        self.play.by(who, c.RegisterKey(ident, self.play.pair(label).public, self.instant(end_ms)))

    @rule(who=anyone, label=st.sampled_from("uvwxyz"), end_ms=ends_ms)
    def rotate_key(self, who: str, label: str, end_ms: int | None) -> None:
        """One key for another; then the old one tries again, the same and something else."""
        old = self.play.keys_of(self.play.account(who))
        self.play.by(who, c.RotateKey(self.play.pair(label).public, self.instant(end_ms)))
        self.play.repeat(-1)
        self.play.send(bid(UNKNOWN_ID, 1), old)

    def instant(self, end_ms: int | None) -> int | None:
        """When a key ends, market time."""
        return None if end_ms is None else self.play.town.at_ms + end_ms

    @rule(who=anyone, account=anyone, number=numbers, own=st.booleans())
    def revoke_key(self, who: str, account: str, number: int, own: bool) -> None:
        """A key ends."""
        ident = self.play.account(who if own else account)
        keys = [k for k, row in self.play.model.keys.items() if row["account"] == ident] or [INBOX_KEY]
        self.play.by(who, c.RevokeKey(ident, keys[number % len(keys)]))

    @rule(who=anyone, version=st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]))
    def activate(self, who: str, version: int) -> None:
        """Other rules."""
        self.play.by(who, c.ActivateRules(version))

    @rule(who=anyone)
    def open_market_again(self, who: str) -> None:
        """A second genesis."""
        self.play.by(who, c.OpenMarket(BANK.public, PARTITIONS, 1, True))

    @rule(number=numbers)
    def repeat(self, number: int) -> None:
        """An earlier record comes again."""
        self.play.repeat(-1 - number % 40)

    @rule(who=anyone, sequence=sequences)
    def odd_sequence(self, who: str, sequence: int) -> None:
        """A command with a chosen sequence."""
        self.play.by(who, c.WithdrawBid(UNKNOWN_ID), sequence=sequence)

    @rule(who=anyone)
    def forge(self, who: str) -> None:
        """A signature made for another market."""
        self.play.forged(bid(UNKNOWN_ID, 1), self.play.keys_of(self.play.account(who)))

    @rule(who=anyone, value=st.binary(max_size=20), signed=st.booleans())
    def garbage(self, who: str, value: bytes, signed: bool) -> None:
        """Bytes that are no command."""
        self.play.garbage(self.play.keys_of(self.play.account(who)), value, signed=signed)

    @rule()
    def restart(self) -> None:
        """A worker takes over from a snapshot."""
        self.play.restart()


@pytest.fixture(scope="module")
def reached() -> Reached:
    """Run the histories and the directed scenarios once; what they reached."""
    profile = settings(
        max_examples=200,
        stateful_step_count=60,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Histories, settings=profile)
    print(f"\nby random histories alone, missing: {sorted((EVENTS - set(REACHED.events)) | missing_codes())}")
    for scenario in SCENARIOS:
        patch = with_small_limits()
        try:
            scenario(Play(REACHED))
        finally:
            patch.undo()
    return REACHED


def missing_codes() -> set[str]:
    """Codes that nothing has reached yet."""
    return {str(code) for code in CODES} - set(REACHED.codes)


def test_the_market_does_what_the_model_does(reached: Reached) -> None:
    """The histories ran without a difference, and enough of them ended in awards that somebody competed for."""
    assert reached.records > 3_000
    assert reached.awards > 300
    assert reached.contested > 100


def test_every_event_and_every_code_was_reached(reached: Reached, tell: Callable[[str], None]) -> None:
    """No kind of event and no outcome is left out; the table says how often each came."""
    tell(f"{reached.records} records, {reached.awards} awards, {reached.contested} above the reserve")
    for title, counts in (("events", reached.events), ("codes", reached.codes)):
        tell(title + ": " + ", ".join(f"{name} {count}" for name, count in counts.most_common()))
    assert EVENTS - set(reached.events) == set()
    assert missing_codes() == set()
