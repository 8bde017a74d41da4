"""The rows that the published tables have to hold, by a fold of its own: one event at a time, in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from analytics.verify import purchases
from analytics.verify.rows_budgets import BUDGET_STEPS
from analytics.verify.rows_negotiations import NEGOTIATION_STEPS
from analytics.verify.rows_negotiations import stored_ms as _ms
from analytics.verify.rows_tokens import COLUMNS as TOKEN_COLUMNS
from analytics.verify.rows_tokens import TOKEN_STEPS

Fields = dict[str, Any]
Row = list[Any]

COLUMNS: dict[str, str] = {
    "events": "partition, ledger_offset, market, type, command_offset, index, command_id, epoch_ms(occurred_at), cause,"
    " account_id, kind, code",
    "cfps": "partition, ledger_offset, market, cfp_id, manager_id, manager, direction, pool, units, duration_ms, slots,"
    " reserve_price_ucr, pricing, epoch_ms(opened_at), epoch_ms(closes_at), status, epoch_ms(closed_at), bids, awards,"
    " award, decide_ms, epoch_ms(decides_until), by_invitation, delay_cost_per_s_ucr, bond_ucr,"
    " start_within_ms, grace_ms, resale_of",
    "invitations": "partition, ledger_offset, market, cfp_id, account_id, agent, project, epoch_ms(invited_at)",
    "works": purchases.WORKS,
    "refusals": "partition, ledger_offset, market, cfp_id, account_id, agent, project, reason, epoch_ms(refused_at)",
    "bids": "partition, ledger_offset, market, bid_id, cfp_id, account_id, agent, project, task, pool, price_ucr,"
    " weight_permille, start_delay_ms, claim_priority, claim_deadline_at_ms, claim_expected_value_points,"
    " epoch_ms(placed_at), status, reason, epoch_ms(ended_at), group_id, wins_max",
    "awards": "partition, ledger_offset, market, award_id, cfp_id, slot, bid_id, account_id, agent, project, task,"
    " pool, units, duration_ms, price_ucr, bid_price_ucr, manager_id, manager, epoch_ms(opened_at),"
    " epoch_ms(closes_at), epoch_ms(awarded_at), latency_ms, since_opened_ms, command_offset, index",
    "reservations": "partition, ledger_offset, market, award_id, account_id, agent, project, pool, units,"
    " epoch_ms(reserved_at), epoch_ms(starts_at), epoch_ms(ends_at), status, epoch_ms(ended_at)",
    "transfers": "partition, ledger_offset, market, debit_id, credit_id, amount_ucr, reason, agent, project, task,"
    " pool, cfp_id, award_id, memo, epoch_ms(transferred_at)",
    "holds": "partition, ledger_offset, market, hold_id, account_id, agent, cfp_id, amount_ucr, epoch_ms(placed_at),"
    " status, captured_ucr, released_ucr, epoch_ms(resolved_at)",
    "negotiations": "partition, ledger_offset, market, negotiation_id, award_id, holder_id, holder, buyer_id, buyer,"
    " pool, protocol, issues, rounds_max, round_ms, still_rounds_max, epoch_ms(opened_at), cap_ucr, task,"
    " epoch_ms(joined_at), status, rounds, options, price_ucr, epoch_ms(ended_at), claimed",
    "offers": "partition, ledger_offset, market, negotiation_id, round, account_id, agent, options, price_ucr,"
    " epoch_ms(made_at)",
    "rejections": "partition, ledger_offset, market, command_id, code, detail, account_id, agent, kind, key, sequence,"
    " epoch_ms(rejected_at), command_offset",
    "markets": "partition, market, bank_id, rules_version, signed, operator_key, genesis_hash, epoch_ms(opened_at)",
    "accounts": "partition, market, account_id, name, project, budget_root, is_bank, weight_permille, balance_ucr,"
    " held_ucr, balance_ucr - held_ucr - owed_ucr = available_ucr, epoch_ms(opened_at), is_system, owed_ucr",
    "keys": "partition, market, signing_key, account_id, epoch_ms(registered_at), epoch_ms(expires_at),"
    " epoch_ms(revoked_at)",
    "pools": "partition, market, pool, owner_id, owner, units, epoch_ms(created_at), epoch_ms(resized_at)",
    "budgets": "partition, market, budget_id, scope, account_id, agent, project, limit_ucr, allowance_ucr, window_ms,"
    " offset_ms, decay_permille, cap_allowances, warn_permille, epoch_ms(set_at), epoch_ms(cleared_at)",
    "budget_windows": "partition, ledger_offset, market, budget_id, epoch_ms(starts_at), epoch_ms(ends_at), limit_ucr,"
    " topped_up_ucr, spent_ucr, epoch_ms(warned_at), issued_ucr, decayed_ucr, epoch_ms(ended_at)",
    **TOKEN_COLUMNS,
    "policies": "partition, ledger_offset, market, issue_limit_ucr, issue_window_ms, round_fee_ucr, epoch_ms(set_at)",
    "deposit_rates": "partition, ledger_offset, market, hourly_permille, epoch_ms(set_at), floor_ucr",
    "pool_sizes": "partition, ledger_offset, market, pool, units, epoch_ms(set_at)",
    "resale_calls": "partition, ledger_offset, market, call_ms, epoch_ms(set_at)",
    "meta": "partition, next_offset, events, epoch_ms(newest_event_at)",
}
"""What is compared of each published table: every column that follows from the ledger."""
BY_OFFSET = (
    "events",
    "cfps",
    "invitations",
    "refusals",
    "bids",
    "awards",
    "works",
    "reservations",
    "transfers",
    "holds",
    "negotiations",
    "offers",
    "rejections",
    "budget_windows",
    "token_orders",
    "token_clearings",
    "token_grants",
    "token_usage",
    "policies",
    "deposit_rates",
    "resale_calls",
    "pool_sizes",
)
"""Tables whose rows have a ledger offset of their own: the first two columns identify them."""


def digest(row: Row | tuple[Any, ...]) -> bytes:
    """A short hash of a row: 12 bytes, so that no two rows of a market are taken for the same."""
    return blake2b(repr(tuple(row)).encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


@dataclass(slots=True)
class Rows:
    """Expected rows of one partition. Final ones are kept as digests only; `small` tables as they are."""

    partition: int
    wanted: tuple[str, int] | None = None
    """Table and ledger offset of a row to keep in `found`, for a report of what differs."""
    found: Row | None = None
    final: dict[str, dict[int, bytes]] = field(default_factory=lambda: defaultdict(dict))
    markets: dict[str, Row] = field(default_factory=dict)
    accounts: dict[tuple[str, str], Row] = field(default_factory=dict)
    keys: dict[tuple[str, str], Row] = field(default_factory=dict)
    pools: dict[tuple[str, str], Row] = field(default_factory=dict)
    budgets: dict[tuple[str, str], Row] = field(default_factory=dict)
    token_pools: dict[tuple[str, str], Row] = field(default_factory=dict)
    token_orders: dict[tuple[str, str], Row] = field(default_factory=dict)
    events: int = 0
    last_offset: int = -1
    newest_ms: int = 0
    spent_ucr: int = 0
    payments: int = 0
    cfps: dict[tuple[str, str], Row] = field(default_factory=dict)
    bids: dict[tuple[str, str], Row] = field(default_factory=dict)
    _holds: dict[tuple[str, str], Row] = field(default_factory=dict)
    works: dict[tuple[str, str], Row] = field(default_factory=dict)
    _leases: dict[tuple[str, str], Row] = field(default_factory=dict)
    _bids_of: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    negotiations: dict[tuple[str, str], Row] = field(default_factory=dict)
    """Those that go on."""
    _windows: dict[tuple[str, str], Row] = field(default_factory=dict)
    _scopes: dict[tuple[str, str | None, str | None], str] = field(default_factory=dict)

    def take(self, offset: int, key: bytes | None, kind: str, e: Fields) -> None:
        """One ledger record."""
        source = e["source"]
        at_ms = source["at_ms"]
        market = key.decode(errors="backslashreplace") if key else None
        self.events += 1
        self.last_offset = offset
        self.newest_ms = max(self.newest_ms, at_ms)
        outcome: Row = [None, None, None]
        if kind in ("CommandAccepted", "CommandRejected", "CommandRepeated"):
            outcome = [_hex(e["account"]), e.get("kind"), e.get("code", "ACCEPTED")]
        elif kind == "CommandUnreadable":
            outcome[2] = "UNREADABLE"
        where = [source["offset"], source["index"], source["command"].hex(), _ms(at_ms), source["cause"]]
        self.keep("events", [self.partition, offset, market, kind, *where, *outcome])
        step = _STEPS.get(kind)
        if step is not None:
            step(self, offset, market or None, e, at_ms)

    def finish(self) -> None:
        """No more records: what is still open is a row as well."""
        for table, rows in (
            ("cfps", self.cfps),
            ("bids", self.bids),
            ("holds", self._holds),
            ("reservations", self._leases),
            ("works", self.works),
            ("budget_windows", self._windows),
            ("negotiations", self.negotiations),
            ("token_orders", self.token_orders),
        ):
            for row in rows.values():
                self.keep(table, row)

    def keep(self, table: str, row: Row) -> None:
        self.final[table][row[1]] = digest(row)
        if self.wanted == (table, row[1]):
            self.found = list(row)

    def _agent(self, market: str, account: str | None) -> tuple[str | None, str | None]:
        row = self.accounts.get((market, account or ""))
        return (None, None) if row is None else (row[3], row[4])

    def _market_opened(self, _: int, m: str, e: Fields, at_ms: int) -> None:
        bank, keys = e["bank"].hex(), [e["operator_key"].hex(), e["genesis_hash"].hex()]
        self.markets[m] = [self.partition, m, bank, e["rules_version"], e["signed"], *keys, _ms(at_ms)]
        names = ["bank", "bank", "bank", True, 1000, 0, 0, True, _ms(at_ms), False, 0]
        self.accounts[m, bank] = [self.partition, m, bank, *names]
        self._add_key(m, e["operator_key"], None, at_ms)
        self._add_key(m, e["bank_key"], bank, at_ms)

    def _rules_activated(self, _: int, m: str, e: Fields, __: int) -> None:
        self.markets[m][3] = e["version"]

    def _account_opened(self, _: int, m: str, e: Fields, at_ms: int) -> None:
        ident = e["account"].hex()
        names = [e["name"], e["project"], e["budget_root"], False, 1000, 0, 0, True, _ms(at_ms), False, 0]
        self.accounts[m, ident] = [self.partition, m, ident, *names]
        self._add_key(m, e["signing_key"], ident, at_ms)

    def _add_key(self, m: str, key: bytes, account: str | None, at_ms: int) -> None:
        self.keys[m, key.hex()] = [self.partition, m, key.hex(), account, _ms(at_ms), None, None]

    def _key_registered(self, _: int, m: str, e: Fields, at_ms: int) -> None:
        self._add_key(m, e["signing_key"], e["account"].hex(), at_ms)

    def _key_expires(self, _: int, m: str, e: Fields, __: int) -> None:
        self.keys[m, e["signing_key"].hex()][5] = _ms(e["expires_at_ms"])

    def _key_revoked(self, _: int, m: str, e: Fields, at_ms: int) -> None:
        self.keys[m, e["signing_key"].hex()][6] = _ms(at_ms)

    def _operator_rotated(self, _: int, m: str, e: Fields, at_ms: int) -> None:
        self._add_key(m, e["signing_key"], None, at_ms)
        self.keys[m, e["revoked_key"].hex()][6] = _ms(at_ms)

    def _weight_changed(self, _: int, m: str, e: Fields, __: int) -> None:
        self.accounts[m, e["account"].hex()][7] = e["weight_permille"]

    def _pool_created(self, offset: int, m: str, e: Fields, at_ms: int) -> None:
        owner = e["owner"].hex()
        rest = [owner, self._agent(m, owner)[0], e["units"], _ms(at_ms), None]
        self.pools[m, e["pool"]] = [self.partition, m, e["pool"], *rest]
        self.keep("pool_sizes", [self.partition, offset, m, e["pool"], e["units"], _ms(at_ms)])

    def _pool_resized(self, offset: int, m: str, e: Fields, at_ms: int) -> None:
        row = self.pools[m, e["pool"]]
        row[5], row[7] = e["units"], _ms(at_ms)
        self.keep("pool_sizes", [self.partition, offset, m, e["pool"], e["units"], _ms(at_ms)])

    def _cfp_opened(self, offset: int, m: str, e: Fields, at_ms: int) -> None:
        ident, manager = e["cfp"].hex(), e["manager"].hex()
        terms = [e["direction"], e["pool"], e["units"], e["duration_ms"], e["slots"], e["reserve_price_ucr"]]
        times = [e["pricing"], _ms(at_ms), _ms(e["closes_at_ms"]), "open", *[None] * 3, "AUTO", None, None, False]
        head = [self.partition, offset, m, ident, manager, self._agent(m, manager)[0]]
        talk = self.negotiations.get((m, ident))
        self.cfps[m, ident] = [*head, *terms, *times, *[None] * 4, None if talk is None else talk[4]]

    def _award_deferred(self, _: int, m: str, e: Fields, __: int) -> None:
        self.cfps[m, e["cfp"].hex()][19:21] = ["MANAGER", e["decide_ms"]]

    def _decision_opened(self, _: int, m: str, e: Fields, __: int) -> None:
        row = self.cfps[m, e["cfp"].hex()]
        row[15], row[21] = "deciding", _ms(e["decides_until_ms"])

    def _account_invited(self, offset: int, m: str, e: Fields, at_ms: int) -> None:
        cfp, account = e["cfp"].hex(), e["account"].hex()
        self.cfps[m, cfp][22] = True
        who = [account, *self._agent(m, account), _ms(at_ms)]
        self.keep("invitations", [self.partition, offset, m, cfp, *who])

    def _cfp_refused(self, offset: int, m: str, e: Fields, at_ms: int) -> None:
        account = e["account"].hex()
        who = [account, *self._agent(m, account), e["reason"], _ms(at_ms)]
        self.keep("refusals", [self.partition, offset, m, e["cfp"].hex(), *who])

    def _bid_placed(self, offset: int, m: str, e: Fields, at_ms: int) -> None:
        ident, cfp, account = e["bid"].hex(), e["cfp"].hex(), e["account"].hex()
        claim = e["claim"] or {}
        said = [claim.get(name) for name in ("priority", "deadline_at_ms", "expected_value_points")]
        terms = [e["price_ucr"], e["weight_permille"], e["start_delay_ms"]]
        who = [*self._agent(m, account), e["task"], self.cfps[m, cfp][7]]
        ends = [_ms(at_ms), "live", None, None, None, None]
        self.bids[m, ident] = [self.partition, offset, m, ident, cfp, account, *who, *terms, *said, *ends]
        self._bids_of[m, cfp].append(ident)

    def _bid_grouped(self, _: int, m: str, e: Fields, __: int) -> None:
        self.bids[m, e["bid"].hex()][20:] = [e["group"].hex(), e["wins_max"]]

    def _bid_withdrawn(self, _: int, m: str, e: Fields, at_ms: int) -> None:
        row = self.bids[m, e["bid"].hex()]
        row[17], row[19] = "withdrawn", _ms(at_ms)

    def _bid_rejected(self, _: int, m: str, e: Fields, at_ms: int) -> None:
        row = self.bids[m, e["bid"].hex()]
        if row[17] != "withdrawn":
            row[17], row[19] = "rejected", _ms(at_ms)
        row[18] = e["reason"]

    def _award_made(self, offset: int, m: str, e: Fields, at_ms: int) -> None:
        ident, cfp_id, account = e["award"].hex(), e["cfp"].hex(), e["account"].hex()
        cfp, bid, source = self.cfps[m, cfp_id], self.bids[m, ident], e["source"]
        agent, project = self._agent(m, account)
        head = [self.partition, offset, m, ident, cfp_id, e["slot"], ident, account, agent, project, bid[8]]
        terms = [bid[9], cfp[8], cfp[9], e["price_ucr"], e["bid_price_ucr"], cfp[4], cfp[5], cfp[13], cfp[14]]
        ends = [_ms(at_ms), at_ms - cfp[14], at_ms - cfp[13], source["offset"], source["index"]]
        self.keep("awards", [*head, *terms, *ends])
        if cfp[6] == "BUY":
            purchases.begin(self, head[:3], cfp, bid, e["price_ucr"])
        bid[17], bid[19] = "won", _ms(at_ms)

    def _slot_reserved(self, offset: int, m: str, e: Fields, at_ms: int) -> None:
        ident, account = e["award"].hex(), e["account"].hex()
        times = [_ms(at_ms), _ms(e["starts_at_ms"]), _ms(e["ends_at_ms"]), "active", None]
        who = [account, *self._agent(m, account), e["pool"], e["units"]]
        self._leases[m, ident] = [self.partition, offset, m, ident, *who, *times]

    def _lease_ended(self, _: int, m: str, e: Fields, at_ms: int) -> None:
        row = self._leases.pop((m, e["award"].hex()))
        row[12], row[13] = e["reason"].lower(), _ms(at_ms)
        self.keep("reservations", row)

    def _transferred(self, offset: int, m: str, e: Fields, at_ms: int) -> None:
        debit, credit, amount_ucr = e["debit"].hex(), e["credit"].hex(), e["amount_ucr"]
        told = [e["reason"], e["agent"], e["project"], e["task"], e["pool"]]
        ends = [_hex(e["cfp"]), _hex(e["award"]), e["memo"], _ms(at_ms)]
        self.keep("transfers", [self.partition, offset, m, debit, credit, amount_ucr, *told, *ends])
        self.accounts[m, credit][8] += amount_ucr
        self.accounts[m, debit][8] -= amount_ucr
        if e["reason"] in ("AWARD", "DEAL", "FORFEIT", "TOKENS"):
            for scope in ((m, debit, None), (m, None, self.accounts[m, debit][4])):
                if scope in self._scopes:
                    self._windows[m, self._scopes[scope]][8] += amount_ucr
        if e["reason"] not in ("ISSUE", "TRANSFER", "ALLOWANCE", "DECAY"):
            self.spent_ucr += amount_ucr
            self.payments += 1

    def _hold_placed(self, offset: int, m: str, e: Fields, at_ms: int) -> None:
        ident, account = e["hold"].hex(), e["account"].hex()
        head = [self.partition, offset, m, ident, account, self._agent(m, account)[0], e["cfp"].hex()]
        self._holds[m, ident] = [*head, e["amount_ucr"], _ms(at_ms), "held", None, None, None]
        self.accounts[m, account][9] += e["amount_ucr"]

    def _hold_resized(self, _: int, m: str, e: Fields, __: int) -> None:
        row = self._holds[m, e["hold"].hex()]
        self.accounts[m, e["account"].hex()][9] += e["amount_ucr"] - row[7]
        row[7] = e["amount_ucr"]

    def _hold_captured(self, _: int, m: str, e: Fields, at_ms: int) -> None:
        self._resolve(m, e, "captured", e["captured_ucr"], e["released_ucr"], at_ms)

    def _hold_released(self, _: int, m: str, e: Fields, at_ms: int) -> None:
        self._resolve(m, e, "released", 0, e["amount_ucr"], at_ms)

    def _resolve(self, m: str, e: Fields, status: str, captured_ucr: int, released_ucr: int, at_ms: int) -> None:
        row = self._holds.pop((m, e["hold"].hex()))
        row[9:] = [status, captured_ucr, released_ucr, _ms(at_ms)]
        self.keep("holds", row)
        self.accounts[m, e["account"].hex()][9] -= captured_ucr + released_ucr

    def _cfp_closed(self, _: int, m: str, e: Fields, at_ms: int) -> None:
        ident = e["cfp"].hex()
        row = self.cfps.pop((m, ident))
        row[15:19] = [e["outcome"].lower(), _ms(at_ms), e["bids"], e["awards"]]
        self.keep("cfps", row)
        for bid in self._bids_of.pop((m, ident), ()):
            self.keep("bids", self.bids.pop((m, bid)))

    def _rejected(self, offset: int, m: str, e: Fields, at_ms: int) -> None:
        account = _hex(e["account"])
        who = [e["code"], e["detail"], account, self._agent(m, account)[0], e["kind"], _hex(e["key"]), e["sequence"]]
        ends = [_ms(at_ms), e["source"]["offset"]]
        self.keep("rejections", [self.partition, offset, m, e["source"]["command"].hex(), *who, *ends])

    def _unreadable(self, offset: int, m: str, e: Fields, at_ms: int) -> None:
        detail = f"{e['reason']}, {e['size_bytes']} bytes, SHA-256 {e['digest'].hex()}"
        rest = [None, None, None, None, None, _ms(at_ms), e["source"]["offset"]]
        head = [self.partition, offset, m, e["source"]["command"].hex(), "UNREADABLE", detail]
        self.keep("rejections", [*head, *rest])


_STEPS: dict[str, Callable[[Rows, int, Any, Fields, int], None]] = {
    "MarketOpened": Rows._market_opened,
    "RulesActivated": Rows._rules_activated,
    "AccountOpened": Rows._account_opened,
    "KeyRegistered": Rows._key_registered,
    "KeyExpires": Rows._key_expires,
    "KeyRevoked": Rows._key_revoked,
    "OperatorKeyRotated": Rows._operator_rotated,
    "WeightChanged": Rows._weight_changed,
    "PoolCreated": Rows._pool_created,
    "PoolResized": Rows._pool_resized,
    "CfpOpened": Rows._cfp_opened,
    "AwardDeferred": Rows._award_deferred,
    "AccountInvited": Rows._account_invited,
    "PurchaseOpened": purchases.purchase_opened,
    "UnitsOffered": purchases.units_offered,
    "WorkReported": purchases.work_reported,
    "CfpRefused": Rows._cfp_refused,
    "DecisionOpened": Rows._decision_opened,
    "BidPlaced": Rows._bid_placed,
    "BidGrouped": Rows._bid_grouped,
    "BidWithdrawn": Rows._bid_withdrawn,
    "BidRejected": Rows._bid_rejected,
    "AwardMade": Rows._award_made,
    "SlotReserved": Rows._slot_reserved,
    "LeaseEnded": Rows._lease_ended,
    "CreditsTransferred": Rows._transferred,
    "HoldPlaced": Rows._hold_placed,
    "HoldResized": Rows._hold_resized,
    "HoldCaptured": Rows._hold_captured,
    "HoldReleased": Rows._hold_released,
    "CfpClosed": Rows._cfp_closed,
    "CommandRejected": Rows._rejected,
    "CommandUnreadable": Rows._unreadable,
    **BUDGET_STEPS,
    **NEGOTIATION_STEPS,
    **TOKEN_STEPS,
}
