"""A second market, small and slow, written from the design: what `test_model` holds the real one against.

It shares no code with market/. Capacity is found by scanning all leases, a critical value by trying prices. Where a
command breaks several rules it names all of them: which one the market reports is the market's choice.
"""

from __future__ import annotations

from bisect import bisect_left

from contractnet.messages import Direction, Pricing
from contractnet.messages import commands as c
from tests.market.model_budgets import Budgets
from tests.market.model_decisions import Decisions
from tests.market.model_deposits import Deposits
from tests.market.model_groups import Groups
from tests.market.model_invitations import Invitations
from tests.market.model_negotiations import Negotiations
from tests.market.model_parts import DAY_MS, MONEY_MAX, UNITS_MAX, Letter, Row, good_text, new_key
from tests.market.model_policies import Policies
from tests.market.model_pools import Pools
from tests.market.model_purchases import Purchases, is_known
from tests.market.model_tokens import Tokens


class Model(Groups, Budgets, Invitations, Decisions, Negotiations, Purchases, Tokens, Policies, Deposits, Pools):
    """One market as plain dicts. `take` gives the codes that may answer a letter: none for a tick, one if accepted."""

    def __init__(self, name: str, operator: bytes, partitions: int, limits: dict[str, int], versions: set[int]) -> None:
        self.name, self.operator, self.partitions = name, operator, partitions
        self.limits, self.versions = limits, versions
        self.open, self.signed, self.now, self.version, self.bank = False, True, 0, 0, b""
        self.keys: dict[bytes, Row] = {}
        self.accounts: dict[bytes, Row] = {}
        self.pools: dict[str, Row] = {}
        self.cfps: dict[bytes, Row] = {}
        self.leases: dict[bytes, Row] = {}
        self.works: dict[bytes, Row] = {}
        self.ended: set[bytes] = set()
        self.budgets: dict[bytes, Row] = {}
        self.groups: dict[tuple[bytes | None, bytes], Row] = {}
        self.placed = self.ends = 0
        self.past: list[tuple[int, dict[bytes, int]]] = []
        self.talks: dict[bytes, Row] = {}
        self.ended_talks: set[bytes] = set()
        self.token_pools: dict[str, Row] = {}
        self.payments: list[tuple[bytes, int]] = []
        self.awards: list[tuple[bytes, bytes, int, int]] = []
        self.policy, self.issued, self.spurned = None, [], []
        self.rate = self.floor = self.instant = self.call = 0
        self.repeated, self.bad = False, set[str]()

    def take(self, letter: Letter) -> set[str]:
        """Judge one record."""
        codes = self._judge(letter)
        self.remember()
        return codes

    def _judge(self, letter: Letter) -> set[str]:
        self.awards, self.repeated, self.bad = [], False, set()
        mine = self.open and letter.market == self.name
        if mine:
            at = max(self.now, min(letter.at_ms, self.now + 60_000))
            self.instant = at
            moved = self._settle(at, letter.head) or letter.at_ms > at
            if not isinstance(letter.command, c.Tick) or moved or at - self.now >= 30_000:
                self.now = at
        if isinstance(letter.command, c.Tick):
            return set()
        code = self._entry(letter, mine)
        return {code} if code else self._follow(letter)

    def _entry(self, letter: Letter, mine: bool) -> str | None:
        """The code of a record that never comes before the rules."""
        proven = letter.key is not None and (letter.valid or (mine and not self.signed and letter.command is None))
        if letter.command is None and not (mine and proven):
            return "UNREADABLE"
        checks = (
            (letter.market is None, "BAD_MARKET_NAME"),
            (letter.key is None, "MISSING_SIGNATURE"),
            (not letter.home, "WRONG_PARTITION"),
            (not mine and not isinstance(letter.command, c.OpenMarket), "UNKNOWN_MARKET"),
            (not letter.valid and (self.signed or isinstance(letter.command, c.OpenMarket)), "BAD_SIGNATURE"),
        )
        for broken, code in checks:
            if broken:
                return code
        if not mine:
            return self._genesis(letter)
        key = self.keys.get(letter.key or b"")
        if key is None:
            return "UNKNOWN_KEY"
        if key["revoked"] or (key["expires"] is not None and self.now >= key["expires"]):
            again = letter.command is not None and key["used"].get(letter.sequence, (b"",))[0] == letter.id
            newest = sorted(key["used"])[-self.limits["sequences"] :]
            if not again or letter.sequence not in newest or key["forgotten"]:
                return "REVOKED_KEY"
        return "UNREADABLE" if letter.command is None else self._replayed(key["used"], letter)

    def _genesis(self, letter: Letter) -> str | None:
        """A wrong genesis breaks one rule at a time here; the bank is born with a right one."""
        command = letter.command
        assert isinstance(command, c.OpenMarket)
        if letter.key != self.operator:
            return "UNTRUSTED_OPERATOR"
        if command.bank_key == letter.key:
            return "KEY_TAKEN"
        if command.partitions != self.partitions:
            return "BAD_PARTITIONS"
        if command.rules_version not in self.versions:
            return "UNKNOWN_RULES"
        self.open, self.signed, self.bank = True, command.signed, letter.id
        self.now, self.version = letter.at_ms, command.rules_version
        self.keys[letter.key] = new_key(None) | {"used": {letter.sequence: (letter.id, "ACCEPTED")}}
        self._new_account(letter.id, "bank", "", "bank", command.bank_key)
        return "ACCEPTED"

    def _replayed(self, used: dict[int, tuple[bytes, str]], letter: Letter) -> str | None:
        """The same command among the newest ones of its key repeats; another one, or one below them, is stale."""
        order, sequence = sorted(used), letter.sequence
        newest, older = order[-self.limits["sequences"] :], order[: -self.limits["sequences"]]
        if sequence in newest:
            self.repeated = used[sequence][0] == letter.id
            return used[sequence][1] if self.repeated else "STALE_SEQUENCE"
        return "STALE_SEQUENCE" if sequence == -(2**63) or (older and sequence <= older[-1]) else None

    def _follow(self, letter: Letter) -> set[str]:
        """Apply the rules of a proven, new command."""
        key = self.keys[letter.key or b""]
        self.sender, self.id, self.key = key["account"], letter.id, letter.key
        getattr(self, f"_{type(letter.command).__name__}")(letter.command)
        self.sweep(self.now)
        codes = self.bad or {"ACCEPTED"}
        key["used"][letter.sequence] = (letter.id, "")
        return codes

    def answered(self, letter: Letter, code: str) -> None:
        """Remember which of several codes the market chose: a repeat must get the same."""
        key = self.keys.get(letter.key or b"")
        if key is not None and key["used"].get(letter.sequence) == (letter.id, ""):
            key["used"][letter.sequence] = (letter.id, code)

    def need(self, holds: bool, code: str) -> bool:
        """Note a broken rule."""
        if not holds:
            self.bad.add(code)
        return holds

    def _new_account(self, ident: bytes, name: str, project: str, root: str, key: bytes) -> None:
        row: Row = {"name": name, "project": project, "root": root, "balance": 0, "owed": 0, "weight": 1000}
        self.accounts[ident] = row | {"system": False}
        self.keys[key] = new_key(ident)

    def _keys_of(self, account: bytes | None, live: bool = False) -> list[bytes]:
        return [k for k, row in self.keys.items() if row["account"] == account and not (live and row["revoked"])]

    def bids_of(self, account: bytes | None) -> list[Row]:
        """Unsettled bids, withdrawn ones included."""
        return [bid for cfp in self.cfps.values() for bid in cfp["bids"] if bid["account"] == account]

    def held(self, account: bytes | None) -> int:
        """What an account's bids, negotiations and work hold."""
        return self.held_by_bids(account) + self.caps(account) + self.held_for_work(account) + self.deposited(account)

    def _winners(self, ident: bytes, bids: list[Row], at: int, head: bytes) -> list[bytes]:
        """Bid ids in rank order: the best that still fit, until the slots are gone."""
        cfp, leases = self.cfps[ident], list(self.leases.values())

        def fits(bid: Row) -> bool:
            start, end = at + bid["delay"], at + bid["delay"] + cfp["duration"]
            room: int = self.pools[cfp["pool"]]["units"] - self.peak(cfp["pool"], start, end, leases)
            if cfp["resale"]:
                room = cfp["units"] * (at < self.leases[cfp["resale"]]["end"])
            return bool(cfp["units"] <= room)

        standing = [b for b in bids if b["price"] >= cfp["reserve"] and not b["withdrawn"] and fits(b)]
        won: list[bytes] = []
        for bid in self.in_order([(b["price"] * b["weight"], b) for b in standing], ident, head):
            if fits(bid) and len(won) < cfp["slots"]:
                won.append(bid["id"])
                lease = {"pool": cfp["pool"], "units": cfp["units"], "start": at + bid["delay"]}
                leases.append(lease | {"end": lease["start"] + cfp["duration"]})
        return won

    def _settle(self, at: int, head: bytes) -> bool:
        """Let happen what is due, first things first, a bounded number of them."""
        for count in range(self.limits["due"]):
            due = [(x["until"] or x["closes"], i) for i, x in self.cfps.items()]
            due += [(x["end"], i) for i, x in (self.leases | self.budgets).items()]
            due += [(x["until"], i) for i, x in self.talks.items()]
            pools = {x["id"]: x for x in self.token_pools.values() if x["clears"]}
            due += [(x["clears"], i) for i, x in pools.items()]
            if not due or min(due)[0] > at:
                return count > 0
            ident = min(due)[1]
            if ident in pools:
                self.tokens_due(pools[ident], at, head)
            elif ident in self.talks:
                self.talk_due(ident, at)
            elif ident in self.works:
                self.end_work(ident, done=False)
            elif ident in self.leases:
                self.end_lease(ident)
            elif ident in self.budgets:
                self.next_window(ident, at)
            elif self.cfps[ident]["decide"]:
                self.decision_due(ident, at)
            elif self.cfps[ident]["buys"]:
                self.close_purchase(ident, at, head)
            else:
                self._close(ident, at, head)
            self.sweep(at)
        return True

    def _close(self, ident: bytes, at: int, head: bytes) -> None:
        cfp = self.cfps[ident]
        cfp["shut_out"] = self.shut_out(cfp, at)
        by_id = {bid["id"]: bid for bid in cfp["bids"]}
        paid: list[tuple[Row, int]] = []
        for winner in self._winners(ident, cfp["bids"], at, head):

            def wins(price: int, winner: bytes = winner) -> bool:
                bids = [b | {"price": price} if b["id"] == winner else b for b in cfp["bids"]]
                return winner in self._winners(ident, bids, at, head)

            bid = by_id[winner]
            prices = range(cfp["reserve"], bid["price"] + 1)
            paid.append((bid, prices[-1] if cfp["first"] else prices[bisect_left(prices, True, key=wins)]))
        for slot, (bid, price) in enumerate(paid):
            self.leases[bid["id"]] = self.lease_of(cfp, bid, at)
            self.accounts[bid["account"]]["balance"] -= price
            self.accounts[cfp["manager"]]["balance"] += price
            self.awards.append((ident, bid["id"], slot, price))
            self.payments.append((bid["account"], price))
            self.won(bid)
            cfp["given"].append((bid["id"], price))
        self.warn({bid["account"] for bid, _ in paid})
        self.over(ident)

    # One method for each command, named after it: broken rules first, then the effect.

    def _OpenMarket(self, _: c.OpenMarket) -> None:
        self.need(False, "MARKET_EXISTS")

    def _ActivateRules(self, command: c.ActivateRules) -> None:
        self.need(self.sender is None, "NOT_PERMITTED")
        if self.need(self.version < command.version and command.version in self.versions, "UNKNOWN_RULES"):
            before, self.version = self.version, self.version if self.bad else command.version
            self.activated(before)

    def _OpenAccount(self, command: c.OpenAccount) -> None:
        self.need(self.sender == self.bank, "NOT_PERMITTED")
        self.need(all(map(good_text, (command.name, command.project, command.budget_root))), "BAD_NAME")
        self.need(command.name not in [a["name"] for a in self.accounts.values()], "NAME_TAKEN")
        self.need(command.signing_key not in self.keys, "KEY_TAKEN")
        self.need(len(self.accounts) < self.limits["accounts"], "LIMIT_REACHED")
        self.need(self.takes_one_more(command.project), "LIMIT_REACHED")
        if not self.bad:
            self._new_account(self.id, command.name, command.project, command.budget_root, command.signing_key)

    def _own_or_bank(self, account: bytes) -> None:
        self.need(account in self.accounts, "UNKNOWN_ACCOUNT")
        self.need(self.sender in (account, self.bank), "NOT_OWNER")

    def _add_key(self, account: bytes | None, key: bytes, expires: int | None) -> None:
        if expires is not None and self.need(self.version >= 3, "UNKNOWN_RULES"):
            self.need(account is not None and expires > self.now, "BAD_DURATION")
        self.need(key not in self.keys, "KEY_TAKEN")
        self.need(len(self._keys_of(account)) < self.limits["keys"], "LIMIT_REACHED")
        if not self.bad:
            self.keys[key] = new_key(account, expires)

    def _RegisterKey(self, command: c.RegisterKey) -> None:
        if self.version < 3 or self.sender is not None or command.account != self.bank:
            self._own_or_bank(command.account)
        self._add_key(command.account, command.signing_key, command.expires_at_ms)

    def _RotateKey(self, command: c.RotateKey) -> None:
        if self.need(self.sender is not None or self.version >= 3, "NOT_PERMITTED"):
            self._add_key(self.sender, command.signing_key, command.expires_at_ms)
        elif command.expires_at_ms is not None:
            self.bad.add("UNKNOWN_RULES")
        if not self.bad:
            self._end_key(self.key or b"")

    def _end_key(self, key: bytes) -> None:
        self.keys[key] |= {"revoked": True, "forgotten": self.version < 3}

    def _RevokeKey(self, command: c.RevokeKey) -> None:
        self._own_or_bank(command.account)
        live = self._keys_of(command.account, live=True)
        self.need(command.signing_key in live, "UNKNOWN_KEY")
        self.need(len(live) > 1 or (self.sender == self.bank != command.account), "LAST_KEY")
        if not self.bad:
            self._end_key(command.signing_key)

    def _SetWeight(self, command: c.SetWeight) -> None:
        self.need(self.sender == self.bank, "NOT_PERMITTED")
        self.need(command.account in self.accounts, "UNKNOWN_ACCOUNT")
        self.need(500 <= command.weight_permille <= 1000, "BAD_WEIGHT")
        if not self.bad:
            self.accounts[command.account]["weight"] = command.weight_permille

    def _move(self, debit: bytes, credit: bytes, amount: int, memo: str) -> None:
        self.need(self.sender == self.bank, "NOT_PERMITTED")
        self.need({debit, credit} <= set(self.accounts), "UNKNOWN_ACCOUNT")
        self.need(0 < amount <= MONEY_MAX and debit != credit, "BAD_AMOUNT")
        self.need(good_text(memo, 256, empty=True), "BAD_NAME")

    def _post(self, debit: bytes, credit: bytes, amount: int) -> None:
        if not self.bad:
            self.accounts[debit]["balance"] -= amount
            self.accounts[credit]["balance"] += amount

    def _IssueCredits(self, command: c.IssueCredits) -> None:
        self._move(self.bank, command.account, command.amount_ucr, command.memo)
        issued = command.amount_ucr - self.accounts[self.bank]["balance"]
        self.need(issued <= self.limits["issued"], "LIMIT_REACHED")
        self.need_issuable(command.amount_ucr)
        self._post(self.bank, command.account, command.amount_ucr)
        if not self.bad:
            self.issued.append((self.now, command.amount_ucr))

    def _TransferCredits(self, command: c.TransferCredits) -> None:
        self._move(command.debit, command.credit, command.amount_ucr, command.memo)
        self.need(command.debit != self.bank, "NOT_PERMITTED")
        if command.debit in self.accounts:
            self.need(self.free(command.debit) >= command.amount_ucr, "INSUFFICIENT_CREDIT")
        self._post(command.debit, command.credit, command.amount_ucr)

    def _CallForProposals(self, command: c.CallForProposals) -> None:
        self.need(self.sender is not None, "NOT_PERMITTED")
        self.need(is_known(command, self.version), "UNKNOWN_VALUE")
        self.need(1 <= command.units <= UNITS_MAX and 1 <= command.slots <= 64, "BAD_UNITS")
        timely = 100 <= command.duration_ms <= 7 * DAY_MS and 50 <= command.open_ms <= DAY_MS
        self.need(timely, "BAD_DURATION")
        self.need(1 <= command.reserve_price_ucr <= MONEY_MAX, "BAD_AMOUNT")
        buys = command.direction is Direction.BUY and self.version >= 6
        if buys:
            self.need_good_purchase(command)
        else:
            self.need_good_sale(command)
        self.need_good_invitations(command)
        self.need_deposit(command)
        open_cfps = sum(cfp["manager"] == self.sender for cfp in self.cfps.values())
        self.need(open_cfps < self.limits["cfps"], "LIMIT_REACHED")
        self.need_root_below("cfps_of_root", [cfp["manager"] for cfp in self.cfps.values()])
        if not self.bad:
            row: Row = {"manager": self.sender, "pool": command.pool, "units": command.units, "slots": command.slots}
            row |= {"duration": command.duration_ms, "closes": self.now + command.open_ms, "bids": []}
            row |= {"reserve": command.reserve_price_ucr, "first": command.pricing == Pricing.FIRST}
            row |= {"decide": command.decide_ms, "until": 0, "given": [], "refused": [], "invited": command.invited}
            row |= {
                "buys": self.terms_of(command),
                "opened": self.now,
                "rate": self.rate_for(command),
                "worth": self.worth_of(command),
                "shut_out": None,
                "resale": None,
            }
            row["weights"] = self.weights_now()
            self.cfps[self.id] = row

    def need_held(self, amount: int) -> None:
        """Credits and budgets of the sender."""
        if self.sender is not None:
            self.need(amount == 0 or self.free(self.sender) >= amount, "INSUFFICIENT_CREDIT")
            self.need(self.leave_room(self.sender, amount), "BUDGET_EXCEEDED")

    def _PlaceBid(self, command: c.PlaceBid) -> None:
        self.need(self.sender not in (None, self.bank), "NOT_PERMITTED")
        self.need(0 < command.price_ucr <= MONEY_MAX, "BAD_AMOUNT")
        self.need(good_text(command.task, empty=True), "BAD_NAME")
        self.need(0 <= command.start_delay_ms <= DAY_MS, "BAD_DURATION")
        cfp = self.open_cfp(command.cfp)
        self.need_one_more_bid(cfp)
        self.need(cfp is None or cfp["buys"] is None, "OUT_OF_SEQUENCE")
        self.need_room_for(cfp, command.start_delay_ms)
        self.need(cfp is None or cfp["resale"] is None or command.start_delay_ms == 0, "BAD_DURATION")
        self.need_held(self.needed(command))
        if cfp is not None and self.sender is not None and not self.bad:
            row = {"id": self.id, "account": self.sender, "price": command.price_ucr, "withdrawn": False, "done": False}
            row |= {"delay": command.start_delay_ms, "weight": self.weight_of(self.sender, cfp["weights"])}
            row |= {"group": command.group, "number": self.placed, "placed": self.now, "freed": 0}
            self.placed += 1
            cfp["bids"].append(row)
            self.join(command)

    def _ReleaseLease(self, command: c.ReleaseLease) -> None:
        self.need(self.sender is not None, "NOT_PERMITTED")
        lease = self.leases.get(command.award)
        if lease is None or self.now >= lease["end"]:
            self.need(False, "UNKNOWN_LEASE")
            return
        self.need(lease["account"] == self.sender, "NOT_OWNER")
        self.need(command.award not in self.works, "OUT_OF_SEQUENCE")
        self.need_not_sold(None, command.award)
        if not self.bad:
            self.end_lease(command.award)
