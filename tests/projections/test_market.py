"""The real rules write, the projection reads: both must come to the same state."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

import analytics
from contractnet.codec import encode
from contractnet.messages import Command
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from market.state import Bid, State
from projections.decode import LedgerRecord
from projections.publish import Publisher
from tests.market.cases_negotiations import joined, negotiation
from tests.market.town import (
    BANK,
    OPERATOR,
    PARTITION,
    Answer,
    Town,
    bid,
    budget,
    call,
    key_pair,
    managed,
    small_town,
)
from tests.projections.test_store import batches, opened, settings_of

AGENTS = ("ann", "bob", "cat", "dan")


class Day:
    """Random commands of agents, good and bad, on a town; keeps every answer."""

    def __init__(self, seed: int) -> None:
        self.town, self.accounts = small_town(*AGENTS, units=2, credits_ucr=5000)
        # The beginning, played again from its records, so that the ledger is whole.
        self.beginning = Town(open_market=False)
        self.answers = [self.beginning.post(*record) for record in list(self.town.records)]
        self.rng = random.Random(seed)
        self.bids: list[bytes] = []
        self.spare: list[tuple[bytes, bytes]] = []
        self.operator = OPERATOR

    def play(self, commands: int) -> None:
        """Send so many commands."""
        actions: list[Callable[[], Answer | None]] = [self.bid] * 8 + [self.call] * 3 + [self.tick] * 3
        actions += [self.withdraw, self.cancel, self.release, self.resize, self.weigh, self.transfer, self.garbage]
        actions += [self.register, self.revoke, self.rotate, self.budget, self.budget]
        actions += [self.managed, self.managed, *[self.decide] * 4, self.refuse, self.groups, self.invite]
        actions += [self.bargain] * 16
        for _ in range(commands):
            self.town.at_ms += self.rng.randint(0, 25)
            answer = self.rng.choice(actions)()
            if answer is not None:
                self.answers.append(answer)

    def call(self) -> Answer:
        slots, units = self.rng.randint(1, 3), self.rng.randint(1, 3)
        return self.town.send(call(slots=slots, units=units), key_pair("manager"))

    def invite(self) -> Answer:
        accounts = [self.town.state.account_names[name] for name in self.rng.sample(AGENTS, 2)]
        return self.town.send(call(invited=tuple(accounts)), key_pair("manager"))

    def managed(self) -> Answer:
        terms = {"slots": self.rng.randint(1, 3), "decide_ms": self.rng.choice([100, 1_000])}
        return self.town.send(managed(**terms), key_pair("manager"))

    def decide(self) -> Answer | None:
        if not self.bids:
            return None
        chosen = self.rng.choice(self.bids[-6:])
        made = c.AwardBid(chosen) if self.rng.random() < 0.7 else c.RejectBid(chosen)
        return self.town.send(made, key_pair("manager"))

    def refuse(self) -> Answer | None:
        cfps = list(self.town.state.cfps)
        name = self.rng.choice(AGENTS)
        return self.town.send(c.RefuseCfp(self.rng.choice(cfps), "no need"), key_pair(name)) if cfps else None

    def bid(self) -> Answer | None:
        if not self.town.state.cfps:
            return None
        cfp = self.rng.choice(list(self.town.state.cfps))
        price_ucr = self.rng.choice([5, 20, 300, 10**6])
        answer = self.town.send(bid(cfp, price_ucr, 0, "task"), key_pair(self.rng.choice(AGENTS)))
        self.bids.append(answer.id)
        return answer

    def groups(self) -> Answer:
        """Two calls that close one after the other, and bids of a group on both, the second one higher or lower."""
        name, group = self.rng.choice(AGENTS), self.rng.randbytes(16)
        for open_ms in (60, 400):
            self.answers.append(self.town.send(call(open_ms=open_ms), key_pair("manager")))
            made = bid(self.answers[-1].id, self.rng.choice([200, 300, 400]), 0, "task")
            last = self.town.send(replace(made, group=group, wins_max=self.rng.choice([1, 1, 2])), key_pair(name))
            self.answers.append(last)
            self.bids.append(last.id)
        self.town.at_ms += self.rng.choice([0, 60, 60])
        return self.town.tick()

    def tick(self) -> Answer:
        self.town.at_ms += self.rng.choice([50, 200, 70_000])
        return self.town.tick()

    def withdraw(self) -> Answer | None:
        live = [b for cfp in self.town.state.cfps.values() for b in cfp.bids.values()]
        if not live:
            return None
        chosen = self.rng.choice(live)
        name = next(n for n, ident in self.accounts.items() if ident == chosen.account)
        return self.town.send(c.WithdrawBid(chosen.id), key_pair(name))

    def cancel(self) -> Answer | None:
        cfps = list(self.town.state.cfps)
        return self.town.send(c.CancelCfp(self.rng.choice(cfps)), key_pair("manager")) if cfps else None

    def release(self) -> Answer | None:
        for lease in self.town.state.leases.values():
            name = next(n for n, ident in self.accounts.items() if ident == lease.account)
            return self.town.send(c.ReleaseLease(lease.award), key_pair(name))
        return None

    def resize(self) -> Answer:
        return self.town.send(c.ResizePool("gpu", self.rng.randint(1, 4)), key_pair("manager"))

    def weigh(self) -> Answer:
        account = self.accounts[self.rng.choice(AGENTS)]
        return self.town.send(c.SetWeight(account, self.rng.choice([400, 500, 1000])), BANK)

    def transfer(self) -> Answer:
        account = self.accounts[self.rng.choice(AGENTS)]
        return self.town.send(c.IssueCredits(account, 500, "more"), BANK)

    def register(self) -> Answer:
        account, key = self.accounts[self.rng.choice(AGENTS)], self.rng.randbytes(32)
        self.spare.append((account, key))
        end_at_ms = self.rng.choice([None, self.town.at_ms, self.town.at_ms + 5000])
        return self.town.send(c.RegisterKey(account, key, end_at_ms), BANK)

    def revoke(self) -> Answer | None:
        return self.town.send(c.RevokeKey(*self.rng.choice(self.spare)), BANK) if self.spare else None

    def rotate(self) -> Answer:
        former, self.operator = self.operator, KeyPair.from_seed(self.rng.randbytes(32))
        return self.town.send(c.RotateKey(self.operator.public), former)

    def budget(self) -> Answer:
        rng = self.rng
        scope = rng.choice([(self.accounts[rng.choice(AGENTS)], ""), (None, "project"), (None, "project")])
        terms: dict[str, int | None] = {"limit_ucr": rng.choice([None, 200, 5_000]), "warn_permille": 100}
        terms |= {"allowance_ucr": rng.choice([0, 70]), "decay_permille": rng.choice([0, 5])}
        changes: list[Command] = [budget(*scope, **terms)] * 3
        return self.town.send(rng.choice([*changes, c.TopUpBudget(*scope, 50), c.ClearBudget(*scope)]), BANK)

    def bargain(self) -> Answer | None:
        """The next step of a negotiation, or another one."""
        state, rng = self.town.state, self.rng
        names = {ident: name for name, ident in self.accounts.items()}
        for talk in state.negotiations.values():
            holder, buyer = (key_pair(names[party.account]) for party in talk.parties)
            if not talk.round:
                return self.town.send(joined(talk.id, 90, "task"), buyer)
            sealed = talk.parties[0].sealed is not None
            price_ucr = rng.choice([40, 60, 70]) if sealed else rng.choice([50, 55])
            return self.town.send(c.MakeOffer(talk.id, talk.round, (), price_ucr), buyer if sealed else holder)
        free = [lease for lease in state.leases.values() if lease.account in names]
        if not free:
            return None
        lease = rng.choice(free)
        buyer_id = rng.choice([ident for ident in names if ident != lease.account])
        return self.town.send(negotiation(lease.award, buyer_id), key_pair(names[lease.account]))

    def garbage(self) -> Answer:
        return self.town.post(self.rng.choice([b"", b"\xff", None, b"default"]), b"garbage", [])


class Tables:
    """The published tables, as sets of rows."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, sql: str) -> set[tuple[Any, ...]]:
        """The rows of a query."""
        return set(self._connection.execute(sql).fetchall())

    def compare_accounts(self, state: State) -> None:
        """Accounts, holds and pools."""
        assert self.rows(
            "SELECT account_id, name, project, balance_ucr, held_ucr, owed_ucr, available_ucr FROM accounts"
        ) == {
            (a.id.hex(), a.name, a.project, a.balance_ucr, a.held_ucr, a.owed_ucr, a.available_ucr)
            for a in state.accounts.values()
        }
        assert self.rows("SELECT hold_id, amount_ucr FROM holds WHERE status = 'held'") == {
            (ident.hex(), amount_ucr) for ident, amount_ucr in state.holds.items()
        }
        assert self.rows("SELECT pool, owner, units FROM pools") == {
            (p.name, state.accounts[p.owner].name, p.units) for p in state.pools.values()
        }
        assert self.rows("SELECT bool_and(ok), count(*) FROM balances_check") == {(True, 1)}

    def compare_keys(self, state: State) -> None:
        """Every key that the market ever knew, whose it is, its end, and whether it was revoked."""
        found = self.rows("SELECT signing_key, account_id, epoch_ms(expires_at), revoked_at IS NOT NULL FROM keys")
        assert found == {
            (k.hex(), None if x.account is None else x.account.hex(), x.expires_at_ms, x.revoked)
            for k, x in state.keys.items()
        }
        assert {(end is None, revoked) for _, _, end, revoked in found} >= {(True, True), (False, False), (True, False)}

    def compare_negotiations(self, state: State) -> None:
        """Open CFPs with their bids, and leases."""
        going_on = "status IN ('open', 'deciding')"
        assert self.rows(f"SELECT cfp_id, decide_ms, epoch_ms(decides_until) FROM cfps WHERE {going_on}") == {
            (i.hex(), x.decide_ms or None, x.decides_until_ms or None) for i, x in state.cfps.items()
        }
        of_open_cfps = f"SELECT bid_id, b.status FROM bids b JOIN cfps c USING (cfp_id) WHERE c.{going_on}"
        standing = [bid for cfp in state.cfps.values() for bid in cfp.bids.values()]
        given = {winner.bid for cfp in state.cfps.values() for winner in cfp.awards}
        assert self.rows(of_open_cfps) == {
            (b.id.hex(), "won" if b.id in given else self._live(b, state)) for b in standing
        }
        grouped = {
            bid for account in state.accounts.values() for group in account.groups.values() for bid in group.bids
        }
        assert self.rows(
            f"SELECT bid_id FROM ({of_open_cfps} AND b.group_id IS NOT NULL) WHERE bid_id IN (SELECT hold_id"
            " FROM holds WHERE status = 'held')"
        ) == {(bid.hex(),) for bid in grouped}
        assert self.rows("SELECT max(wins_max), bool_or(reason = 'GROUP_WON') FROM bids") == {(2, True)}
        assert {row[0] for row in self.rows("SELECT status FROM cfps")} >= {"awarded", "expired"}
        assert self.rows("SELECT count(*) > 0 AND bool_and(agent IS NOT NULL) FROM refusals") == {(True,)}
        of_open_cfps = f"SELECT cfp_id, agent FROM invitations JOIN cfps USING (market, cfp_id) WHERE {going_on}"
        assert self.rows(of_open_cfps) == {
            (i.hex(), state.accounts[a].name) for i, x in state.cfps.items() for a in x.invited
        }
        assert self.rows("SELECT by_invitation, cfp_id IN (SELECT cfp_id FROM invitations) FROM cfps") == {
            (False, False),
            (True, True),
        }
        assert self.rows("SELECT bid_id FROM bids WHERE status = 'live'") <= {(b.id.hex(),) for b in standing}
        assert self.rows("SELECT award_id, agent, pool, units FROM reservations WHERE status = 'active'") == {
            (i.hex(), state.accounts[x.account].name, x.pool, x.units) for i, x in state.leases.items()
        }

    def compare_bargains(self, state: State) -> None:
        """Negotiations that go on; of those that are over there were deals and conflicts."""
        assert self.rows(
            "SELECT negotiation_id, award_id, holder, buyer, pool, coalesce(cap_ucr, 0), status FROM negotiations"
            " WHERE ended_at IS NULL"
        ) == {
            (
                i.hex(),
                n.award.hex(),
                *(state.accounts[party.account].name for party in n.parties),
                state.leases[n.award].pool,
                n.cap_ucr,
                "bargaining" if n.round else "proposed",
            )
            for i, n in state.negotiations.items()
        }
        assert {row[0] for row in self.rows("SELECT DISTINCT status FROM negotiations")} >= {"deal", "lease_ended"}
        paid = self.rows(
            "SELECT n.price_ucr = t.amount_ucr FROM negotiations n LEFT JOIN transfers t ON t.award_id = negotiation_id"
            " WHERE n.status = 'deal'"
        )
        assert paid == {(True,)}

    @staticmethod
    def _live(bid: Bid, state: State) -> str:
        standing = "withdrawn" if bid.withdrawn else "live"
        return standing if bid.id in state.holds else "rejected"

    def compare_budgets(self, state: State) -> None:
        """What is allowed, spent, held and left of each budget in its window; windows that are over are another's
        business (tests/analytics), but there were some."""
        found = self.rows(
            "SELECT budget_id, scope, limit_ucr, topped_up_ucr, spent_ucr, held_ucr, left_ucr, warned_at IS NOT NULL,"
            " epoch_ms(starts_at), epoch_ms(ends_at), allowance_ucr, decay_permille, owed_ucr FROM budget_status"
        )
        wanted: set[tuple[Any, ...]] = set()
        for b in state.budgets.values():
            counts = (b.limit_ucr, b.topped_up_ucr, b.spent_ucr, b.held_ucr, b.room_ucr, b.warned)
            owed_ucr = sum(state.accounts[ident].owed_ucr for ident in state.accounts_under(b))
            window = (b.starts_at_ms, b.ends_at_ms, b.allowance_ucr, b.decay_permille, owed_ucr)
            wanted.add((b.id.hex(), "account" if b.account else "project", *counts, *window))
        assert found == wanted
        [(over, paid)] = self.rows(
            "SELECT count(*), count(*) FILTER (spent_ucr > 0) FROM budget_windows WHERE ended_at IS NOT NULL"
        )
        assert over > 5
        assert paid > 0

    def check_awards(self) -> None:
        """Awards carry what the CFP, the bid and the accounts said; enough happened for this to mean something."""
        [(awards, complete, prompt)] = self.rows(
            "SELECT count(*), count(*) FILTER (agent IS NOT NULL AND pool = 'gpu' AND manager = 'manager' AND"
            " task = 'task' AND project = 'project'), count(*) FILTER (latency_ms >= 0) FROM awards"
        )
        assert awards == complete == prompt > 5
        assert self.rows("SELECT DISTINCT status FROM bids") >= {("won",), ("rejected",)}
        assert len(self.rows("SELECT DISTINCT code FROM rejections")) >= 4


@pytest.mark.parametrize("seed", range(3))
def test_the_tables_agree_with_the_market(tmp_path: Path, seed: int) -> None:
    """After a day of random commands, the tables hold what the market itself holds."""
    day = Day(seed)
    day.play(1_000)
    # A CFP whose last bid a group has dropped ends now.
    day.answers.append(day.town.tick())
    entries = [(answer, entry) for answer in day.answers for entry in answer.entries]
    records = [
        LedgerRecord(PARTITION, offset, (answer.submission.market or "").encode(), encode(entry), bytes(32))
        for offset, (answer, entry) in enumerate(entries)
    ]
    settings = settings_of(tmp_path)
    store = opened(settings)
    for batch in batches(records, 200, seed):
        store.apply(batch)
        store.seal_due()
    Publisher(store, settings).publish()
    store.close()
    with analytics.open(settings.data_dir) as connection:
        tables = Tables(connection)
        tables.compare_accounts(day.town.state)
        tables.compare_keys(day.town.state)
        tables.compare_negotiations(day.town.state)
        tables.compare_bargains(day.town.state)
        tables.compare_budgets(day.town.state)
        tables.check_awards()
