"""Play the real market and the model side by side: every record goes to both, and what they say must agree."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any, cast

import pytest

from contractnet import codec
from contractnet.messages import Code, Command
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.messages.partition import partition_of
from contractnet.signing import KeyPair
from market import clearing, limits, rules, shard
from tests.market.model import Model
from tests.market.model_parts import Letter
from tests.market.town import (
    BANK,
    INBOX_KEY,
    NAME,
    OPERATOR,
    PARTITION,
    PARTITIONS,
    Answer,
    Record,
    Town,
    key_pair,
    outcome_of,
)

SMALL = {
    "accounts": 9,
    "keys": 4,
    "sequences": 6,
    "pools": 4,
    "cfps": 4,
    "bids": 5,
    "bids_per_cfp": 6,
    "bids_of_one_per_cfp": 3,
    "issued": 10**15 + 50_000,
    "due": 3,
    "budgets": 3,
    "budget_accounts": 5,
    "refusals": 2,
    "bids_per_group": 4,
    "groups": 2,
    "invited": 3,
    "talks": 4,
    "talks_of_one": 2,
    "claims": 2,
    "token_pools": 2,
    "orders": 3,
    "grants": 4,
    "uniform_roots": 2,
    "cfps_of_root": 6,
    "bids_of_root_per_cfp": 5,
    "talks_of_root": 3,
    "claims_of_root": 2,
    "spurned": 2,
}
"""Limits low enough for a random search to reach them."""


class Reached:
    """What a run came across: a test that never awards or rejects proves nothing."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.records = self.awards = self.contested = 0

    def note(self, answer: Answer, contested: int) -> None:
        """Count one answer; `contested` is how many of its awards did not pay the reserve."""
        self.records += 1
        self.contested += contested
        for event in answer.events:
            self.events[type(event).__name__] += 1
            self.awards += isinstance(event, e.AwardMade)
            code = outcome_of(event)
            if code is not None:
                self.codes[code] += 1


def with_small_limits() -> pytest.MonkeyPatch:
    """Lower the limits and add a second rules version until the patch is undone."""
    patch = pytest.MonkeyPatch()
    patch.setattr(limits, "ACCOUNTS_MAX", SMALL["accounts"])
    patch.setattr(limits, "KEYS_PER_ACCOUNT_MAX", SMALL["keys"])
    patch.setattr(limits, "SEQUENCES_PER_KEY_MAX", SMALL["sequences"])
    patch.setattr(limits, "POOLS_MAX", SMALL["pools"])
    patch.setattr(limits, "OPEN_CFPS_PER_MANAGER_MAX", SMALL["cfps"])
    patch.setattr(limits, "OPEN_BIDS_PER_ACCOUNT_MAX", SMALL["bids"])
    patch.setattr(limits, "BIDS_PER_CFP_MAX", SMALL["bids_per_cfp"])
    patch.setattr(limits, "BIDS_PER_ACCOUNT_AND_CFP_MAX", SMALL["bids_of_one_per_cfp"])
    patch.setattr(limits, "ISSUED_UCR_MAX", SMALL["issued"])
    patch.setattr(limits, "BUDGETS_MAX", SMALL["budgets"])
    patch.setattr(limits, "ACCOUNTS_PER_BUDGET_MAX", SMALL["budget_accounts"])
    patch.setattr(limits, "REFUSALS_PER_CFP_MAX", SMALL["refusals"])
    patch.setattr(limits, "BIDS_PER_GROUP_MAX", SMALL["bids_per_group"])
    patch.setattr(limits, "GROUPS_REMEMBERED_PER_ACCOUNT", SMALL["groups"])
    patch.setattr(limits, "INVITED_PER_CFP_MAX", SMALL["invited"])
    patch.setattr(limits, "NEGOTIATIONS_MAX", SMALL["talks"])
    patch.setattr(limits, "NEGOTIATIONS_PER_HOLDER_MAX", SMALL["talks_of_one"])
    patch.setattr(limits, "OPEN_CFPS_PER_ROOT_MAX", SMALL["cfps_of_root"])
    patch.setattr(limits, "BIDS_PER_ROOT_AND_CFP_MAX", SMALL["bids_of_root_per_cfp"])
    patch.setattr(limits, "NEGOTIATIONS_PER_ROOT_MAX", SMALL["talks_of_root"])
    patch.setattr(limits, "CLAIMS_MAX", SMALL["claims"])
    patch.setattr(limits, "CLAIMS_PER_ROOT_MAX", SMALL["claims_of_root"])
    patch.setattr(limits, "CLAIMS_REMEMBERED_PER_LEASE", SMALL["spurned"])
    patch.setattr(limits, "TOKEN_POOLS_MAX", SMALL["token_pools"])
    patch.setattr(limits, "ORDERS_PER_POOL_MAX", SMALL["orders"])
    patch.setattr(limits, "GRANTS_PER_POOL_MAX", SMALL["grants"])
    patch.setattr(clearing, "UNIFORM_ROOTS_MIN", SMALL["uniform_roots"])
    patch.setattr(shard, "DUE_PER_COMMAND_MAX", SMALL["due"])
    patch.setitem(cast("dict[int, Any]", rules.RULES), 2, rules.V1)
    return patch


class Play:
    """A town and its model. Every method that sends compares afterwards."""

    def __init__(self, reached: Reached) -> None:
        self.reached = reached
        self.town = Town(open_market=False)
        self.model = Model(NAME, OPERATOR.public, PARTITIONS, SMALL, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
        self.pairs: dict[bytes, KeyPair] = {OPERATOR.public: OPERATOR}
        self.posted: list[tuple[Record, Command | None, bool]] = []

    def pair(self, label: str) -> KeyPair:
        """A key pair that the play can find again by its public key."""
        keys = key_pair(label)
        self.pairs[keys.public] = keys
        return keys

    def keys_of(self, account: bytes | None) -> KeyPair:
        """The newest live key of an account, or of the operator (None); a stranger's where there is none."""
        live = [k for k, row in self.model.keys.items() if row["account"] == account and not row["revoked"]]
        return self.pairs[live[-1]] if live else self.pair("stranger")

    def account(self, name: str) -> bytes:
        """Id of an account; an unknown one for an unknown name."""
        return next((i for i, a in self.model.accounts.items() if a["name"] == name), b"\xee" * 16)

    def by(self, name: str, command: Command, *, sequence: int | None = None) -> Answer:
        """Send a command as an account, or as the operator."""
        keys = self.keys_of(None if name == "operator" else self.account(name))
        return self.send(command, keys, sequence=sequence)

    def send(self, command: Command, keys: KeyPair, *, sequence: int | None = None) -> Answer:
        """Send a command with a valid signature."""
        return self.post(self.town.seal(command, keys, sequence=sequence), command)

    def post(self, record: Record, command: Command | None, valid: bool = True) -> Answer:
        """Post any record; `valid` is whether its signature is right."""
        head = self.town.shard.head
        reserves = {ident: cfp["reserve"] for ident, cfp in self.model.cfps.items()}
        answer = self.town.post(*record)
        self.posted.append((record, command, valid))
        letter = self._letter(answer, command, valid, head)
        codes = self.model.take(letter)
        outcomes = [str(code) for code in map(outcome_of, answer.events) if code is not None]
        assert len(outcomes) == (not isinstance(command, c.Tick)), outcomes
        if outcomes:
            assert outcomes[0] in codes, f"{outcomes[0]}, the model says {codes} of {command}"
            self.model.answered(letter, outcomes[0])
        assert bool(answer.of(e.CommandRepeated)) == self.model.repeated
        self.compare(answer)
        contested = sum(a.price_ucr != reserves[a.cfp] for a in answer.of(e.AwardMade))
        self.reached.note(answer, contested)
        return answer

    def _letter(self, answer: Answer, command: Command | None, valid: bool, head: bytes) -> Letter:
        sub = answer.submission
        proof = sub.credentials
        return Letter(
            at_ms=sub.stamped_at_ms,
            market=sub.market,
            home=partition_of(sub.market or "", PARTITIONS) == PARTITION,
            command=command,
            key=None if proof is None else proof.key,
            sequence=0 if proof is None else proof.sequence,
            valid=valid,
            id=sub.command_id,
            head=head,
        )

    def compare(self, answer: Answer) -> None:
        """Awards of this record, and everything that stands after it, are the same on both sides."""
        awards = [(a.cfp, a.award, a.slot, a.price_ucr) for a in answer.of(e.AwardMade)]
        assert awards == self.model.awards
        if not self.model.open:
            assert self.town.shard.markets == {}
            return
        state, model = self.town.state, self.model
        assert state.now_ms == model.now
        money = {a.id: (a.balance_ucr, a.held_ucr, a.owed_ucr) for a in state.accounts.values()}
        assert money == {i: (a["balance"], model.held(i), a["owed"]) for i, a in model.accounts.items()}
        bids = {i: [(b.id, b.price_ucr, b.withdrawn) for b in x.bids.values()] for i, x in state.cfps.items()}
        assert bids == {i: [(b["id"], b["price"], b["withdrawn"]) for b in x["bids"]] for i, x in model.cfps.items()}
        holds = {b["id"]: model.hold(b) for x in model.cfps.values() for b in x["bids"] if not b["done"]}
        holds |= {i: talk["cap"] for i, talk in model.talks.items() if talk["cap"]}
        assert state.holds == holds | model.holds_for_work() | model.deposits()
        decisions = {
            i: (x.decide_ms, x.decides_until_ms, [(w.bid, w.price_ucr) for w in x.awards], list(x.refused))
            for i, x in state.cfps.items()
        }
        invited = {i: tuple(x.invited) for i, x in state.cfps.items()}
        assert invited == {i: x["invited"] for i, x in model.cfps.items()}
        assert decisions == {i: (x["decide"], x["until"], x["given"], x["refused"]) for i, x in model.cfps.items()}
        leases = {i: (x.pool, x.units, x.account, x.starts_at_ms, x.ends_at_ms) for i, x in state.leases.items()}
        assert leases == {
            i: (x["pool"], x["units"], x["account"], x["start"], x["end"]) for i, x in model.leases.items()
        }
        self.compare_negotiations()
        self.compare_tokens()
        works = {i: (x.account, x.price_ucr, x.bond_ucr, x.delay_ms) for i, x in state.works.items()}
        assert works == {i: (x["account"], x["price"], x["bond"], x["delay"]) for i, x in model.works.items()}
        budgets = {
            i: (b.limit_ucr, b.topped_up_ucr, b.spent_ucr, b.held_ucr, b.starts_at_ms, b.ends_at_ms, b.warned)
            for i, b in state.budgets.items()
        }
        assert budgets == {
            i: (b["limit"], b["topped"], model.spent(b), model.held_under(b), b["start"], b["end"], b["warned"])
            for i, b in model.budgets.items()
        }
        assert (state.policy is None) == (model.policy is None)
        if state.policy is not None and state.policy.issue_limit_ucr is not None:
            assert state.policy.left_ucr(state.now_ms) == model.may_issue(state.now_ms)
        assert (state.deposit_hourly_permille, state.deposit_floor_ucr) == (model.rate, model.floor)
        assert (state.resale_call_ms, state.resales) == (model.call, model.sold_on())
        assert {p.name: p.units for p in state.pools.values()} == {n: p["units"] for n, p in model.pools.items()}
        assert {k: x.revoked for k, x in state.keys.items()} == {k: x["revoked"] for k, x in model.keys.items()}

    def compare_negotiations(self) -> None:
        """Who bargains over what, in which round, and what stands."""
        talks = {
            i: (n.award, tuple(p.account for p in n.parties), n.round, n.until_ms, n.still_rounds, n.cap_ucr, n.claimed)
            for i, n in self.town.state.negotiations.items()
        }
        names = ("award", "parties", "round", "until", "still", "cap")
        assert talks == {i: (*(t[name] for name in names), bool(t["claimed"])) for i, t in self.model.talks.items()}
        for ident, talk in self.model.talks.items():
            parties = self.town.state.negotiations[ident].parties
            sealed = [None if p.sealed is None else (p.sealed.options, p.sealed.price_ucr) for p in parties]
            last = [None if p.last is None else (p.last.options, p.last.price_ucr) for p in parties]
            assert sealed == talk["sealed"]
            assert last == [stands[-1] if stands else None for stands in talk["stands"]]
            if talk["mono"]:
                assert [p.stands for p in parties] == [dict(stands) for stands in talk["stands"]]
        assert set(self.town.state.negotiated) == self.model.ended_talks
        for lease in self.town.state.leases.values():
            live = {root: until_ms for root, until_ms in lease.vain.items() if until_ms > self.town.state.now_ms}
            assert live == self.model.kept_away(lease.award)

    def compare_tokens(self) -> None:
        """What is in each token pool, who waits for it, what was granted, and what the market remembers of it."""
        model, now = self.model, self.town.state.now_ms
        assert {i for i, a in self.town.state.accounts.items() if a.system} == {
            i for i, a in model.accounts.items() if a["system"]
        }
        assert set(self.town.state.token_pools) == set(model.token_pools)
        for name, pool in self.town.state.token_pools.items():
            row = model.token_pools[name]
            assert Fraction(pool.level_at(now), 60_000) == model.bucket(row, now)
            assert (pool.rate, pool.clears_at_ms, pool.recent) == (row["rate"], row["clears"], row["recent"])
            orders = [(o.id, o.account, o.tokens, o.limit_per_1000_ucr, o.expires_at_ms) for o in pool.orders.values()]
            assert orders == [
                (o["id"], o["account"], o["tokens"], o["limit"], o["end"]) for o in row["orders"].values()
            ]
            live = [g for g in pool.grants.values() if not g.is_over(now)]
            assert {g.id: (g.account, g.tokens, g.used, g.expires_at_ms) for g in live} == {
                i: (g["account"], g["tokens"], g["used"], g["end"]) for i, g in model.live_grants(row, now).items()
            }

    def repeat(self, index: int) -> Answer:
        """Post an earlier record again."""
        return self.post(*self.posted[index % len(self.posted)])

    def tick(self) -> Answer:
        """Post the clock's command."""
        return self.post((NAME.encode(), codec.encode(c.Tick()), []), c.Tick())

    def restart(self) -> None:
        """Go on from snapshots, as a worker that takes the partition over does."""
        for name in ("shard", "twin"):
            old = getattr(self.town, name)
            setattr(self.town, name, self.town.restored(self.town.canonical()))
            assert old.head == getattr(self.town, name).head

    def forged(self, command: Command, keys: KeyPair) -> Answer:
        """Post a command whose signature belongs to another market."""
        record = self.town.seal(command, keys, genesis=b"\x07" * 32)
        return self.post(record, command, valid=False)

    def garbage(self, keys: KeyPair, value: bytes, *, signed: bool) -> Answer:
        """Post bytes that are no command, with or without a right signature."""
        record = self.town.seal_bytes(value, keys, self.town.next_sequence(keys))
        if not signed:
            record = (record[0], record[1], [(n, v[::-1] if n == "sig" else v) for n, v in record[2]])
        return self.post(record, None, valid=signed)

    def open_account(self, name: str, *, credits_ucr: int = 0, by: str = "bank", root: str = "") -> Answer:
        """Have the bank open an account, and give it credits."""
        project = "other" if name == "dan" else "project"
        root = root or (f"root of {name}" if name in ("cat", "dan") else "root")
        answer = self.by(by, c.OpenAccount(name, project, root, self.pair(f"key of {name[:9]}").public, INBOX_KEY))
        if credits_ucr:
            self.by("bank", c.IssueCredits(answer.id, credits_ucr, ""))
        return answer


def founded(play: Play, *agents: str, version: int = 1, units: int = 1, credits_ucr: int = 1_000) -> None:
    """A market of a version of the rules, with a manager's pool `gpu` and some agents."""
    play.pairs[BANK.public] = BANK
    assert play.send(c.OpenMarket(BANK.public, PARTITIONS, version, True), OPERATOR).code is Code.ACCEPTED
    manager = play.open_account("manager").id
    play.by("bank", c.CreatePool("gpu", manager, units))
    for name in agents:
        play.open_account(name, credits_ucr=credits_ucr)
