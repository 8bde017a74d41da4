"""The independent checker decides each command by itself: what is true of it, what speaks against it, what follows."""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from itertools import groupby
from typing import Any

import pytest

from analytics.checker import STEP_MS_MAX, BrokenRuleError, Checker, books, budgets
from analytics.checker import limits as written_again
from analytics.checker import refusals_accounts as accounts
from analytics.checker import refusals_bids as bids
from analytics.checker import refusals_cfps as cfps
from analytics.checker import refusals_talks as talks
from analytics.checker import refusals_tokens as tokens
from analytics.checker.asks import ASKS, OTHERWISE
from analytics.checker.books import Book
from analytics.checker.case import Case
from analytics.checker.decisions import INVITED_MAX
from analytics.checker.groups import BIDS_PER_GROUP_MAX
from analytics.checker.negotiations import AGAIN_MS, SPURNED_MAX, TALKED_MAX, WAIT_MS_MAX
from analytics.checker.outcomes import UNPROVEN
from analytics.checker.parts import RULES
from analytics.checker.prices import LEASES_PER_POOL_MAX
from analytics.checker.refusals import REFUSALS, VERSION_OF
from analytics.checker.resales import CALL_MS_MAX
from analytics.verify import Order, verify
from analytics.verify.plain import plain_entry
from contractnet.chain import chain
from contractnet.envelope import is_proven, open_record
from contractnet.messages import Claim, Code, Command, Event, Priority, Submission
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.signing import KeyPair
from contractnet.topics import COMMANDS, LEDGER
from market import limits, rules
from market.snapshot import dump
from tests.analytics.towns import OPERATOR, PARTITIONS, Topics, judged, source_of, traffic
from tests.market.test_golden import VERSIONS, records, unhex
from tests.market.test_rules import CASES, busy_town
from tests.market.town import PARTITION

Entries = list[tuple[str, dict[str, Any], bytes]]
"""Type, fields and value of each ledger record of a command."""
OUTCOMES = ("CommandAccepted", "CommandRejected", "CommandRepeated", "CommandUnreadable")


SEED = 114
"""In its first 2,500 commands everything happens: test_nothing_is_left_out."""


@pytest.fixture(scope="module")
def topics() -> Topics:
    """A market with all that there is."""
    return judged({PARTITION: traffic(PARTITION, 2500, seed=SEED)})


def commands_of(topics: Topics) -> Iterator[tuple[Submission, Entries]]:
    """Each command of the market, and its ledger records."""
    found = []
    for record in topics[LEDGER.name][PARTITION]:
        entry = plain_entry(record.value)
        assert entry is not None
        found.append((*entry, record.value or b""))
    by_offset = {offset: list(group) for offset, group in groupby(found, key=lambda x: x[1]["source"]["offset"])}
    for record in topics[COMMANDS.name][PARTITION]:
        yield open_record(*record), by_offset.get(record.offset, [])


def feed(checker: Checker, told: Submission, entries: Entries) -> None:
    """One command and its records, with a right chain. Raises BrokenRuleError."""
    checker.begin(told, checker.head)
    for index, (kind, event, value) in enumerate(entries):
        head = chain(checker.head, PARTITION, told.offset, index, told.digest, value)
        checker.take((told.market or "").encode(), event["source"]["at_ms"], [("chain", head)], value, kind, event)
    checker.end()


def outcome_of(entries: Entries) -> tuple[str, dict[str, Any]]:
    """Which outcome a command has; nothing for a tick."""
    return next(((kind, event) for kind, event, _ in entries if kind in OUTCOMES), ("", {}))


@cache
def honest(told: Submission, genesis: bytes) -> bool:
    """Whether the signature holds; each is checked once. A function: a copied checker shares it."""
    return is_proven(told, genesis)


@dataclass(frozen=True)
class Moment:
    """The checker as it was before a command, pickled."""

    checker: bytes
    told: Submission
    entries: Entries

    def with_(self, told: Submission, entries: Entries, verifier: Callable[[Submission, bytes], bool] = honest) -> str:
        """What the checker says to another command or other records at this point; empty: it is content."""
        other = pickle.loads(self.checker)
        other.verifier = verifier
        try:
            feed(other, told, entries)
        except BrokenRuleError as error:
            return str(error)
        return ""


@pytest.fixture(scope="module")
def moments(topics: Topics) -> dict[tuple[str, str], Moment]:
    """The first command of each type and outcome, in a log that is sound."""
    checker = Checker(PARTITION, PARTITIONS, OPERATOR.public, honest)
    found: dict[tuple[str, str], Moment] = {}
    for told, entries in commands_of(topics):
        kind, event = outcome_of(entries)
        name = "" if told.command is None else type(told.command).__name__
        place = (name, str(event.get("code", kind)))
        if kind and place not in found:
            found[place] = Moment(pickle.dumps(checker), told, entries)
        feed(checker, told, entries)
    checker.look_over()
    return found


def test_nothing_is_left_out(topics: Topics) -> None:
    """The tables have every type of command and every code; the market of this test every event and command."""
    kinds = {kind.__name__ for kind in Command.__subclasses__()}
    assert set(ASKS) | {"Tick"} == set(REFUSALS) | {"Tick"} == kinds
    assert set(rules.RULES) == RULES
    for kind, version in VERSION_OF.items():
        assert min(v for v, table in rules.RULES.items() if getattr(c, kind) in table) == version
    decided = UNPROVEN | {"UNKNOWN_KEY", "REVOKED_KEY", "STALE_SEQUENCE", "UNTRUSTED_OPERATOR", "BAD_PARTITIONS"}
    codes = decided | {code for table in REFUSALS.values() for code in table} | {"ACCEPTED", "UNREADABLE"}
    assert codes == {str(code) for code in Code} - {"UNSPECIFIED"}
    seen = {kind for _, entries in commands_of(topics) for kind, _, _ in entries}
    assert {kind.__name__ for kind in Event.__subclasses__()} == seen
    accepted = {e["kind"] for _, entries in commands_of(topics) for kind, e, _ in entries if kind == "CommandAccepted"}
    assert kinds - accepted == {"Tick"}


def test_exceptions_are_about_fields_that_there_are() -> None:
    """Fields that follow from a command in another way, and those that do not follow, are fields of that event."""
    for kind, ask in ASKS.items():
        events = {name.partition("/")[0] for name in (*ask.musts, *ask.may)}
        for event, values in ask.same.items():
            assert event in events, (kind, event)
            assert values.keys() <= {f.name for f in dataclasses.fields(getattr(e, event))}
    for (kind, event), names in OTHERWISE.items():
        for message in (getattr(c, kind), getattr(e, event)):
            assert names <= {f.name for f in dataclasses.fields(message)}


def test_limits_that_no_test_reaches_are_the_same() -> None:
    """The checker has written the large limits down again; here alone they are compared with those of the rules."""
    both = {
        "ACCOUNTS_MAX": accounts.ACCOUNTS_MAX,
        "KEYS_PER_ACCOUNT_MAX": accounts.KEYS_MAX,
        "WEIGHTS_PER_ACCOUNT_MAX": accounts.WEIGHTS_MAX,
        "POOLS_MAX": accounts.POOLS_MAX,
        "UNITS_MAX": accounts.UNITS_MAX,
        "DEPOSIT_HOURLY_PERMILLE_MAX": accounts.DEPOSIT_MAX,
        "BUDGETS_MAX": budgets.BUDGETS_MAX,
        "ACCOUNTS_PER_BUDGET_MAX": budgets.MEMBERS_MAX,
        "AMOUNT_UCR_MAX": written_again.MONEY_MAX,
        "ISSUED_UCR_MAX": written_again.ISSUED_MAX,
        "BUDGET_WINDOW_MS_MAX": written_again.YEAR_MS,
        "OPEN_CFPS_MAX": cfps.OPEN_MAX,
        "OPEN_CFPS_PER_MANAGER_MAX": cfps.OPEN_PER_MANAGER_MAX,
        "OPEN_CFPS_PER_ROOT_MAX": cfps.OPEN_PER_ROOT_MAX,
        "BIDS_PER_ROOT_AND_CFP_MAX": bids.BIDS_PER_ROOT_MAX,
        "NEGOTIATIONS_PER_ROOT_MAX": talks.TALKS_PER_ROOT_MAX,
        "SLOTS_MAX": cfps.SLOTS_MAX,
        "REFUSALS_PER_CFP_MAX": cfps.REFUSALS_MAX,
        "INVITED_PER_CFP_MAX": INVITED_MAX,
        "LEASES_PER_POOL_MAX": LEASES_PER_POOL_MAX,
        "LEASE_MS_MAX": written_again.WEEK_MS,
        "CFP_OPEN_MS_MAX": written_again.DAY_MS,
        "BIDS_PER_CFP_MAX": bids.BIDS_PER_CFP_MAX,
        "OPEN_BIDS_PER_ACCOUNT_MAX": bids.BIDS_PER_ACCOUNT_MAX,
        "BIDS_PER_ACCOUNT_AND_CFP_MAX": bids.TRIES_MAX,
        "BIDS_PER_GROUP_MAX": BIDS_PER_GROUP_MAX,
        "CLOSED_CFPS_REMEMBERED": books.CLOSED_MAX,
        "NEGOTIATIONS_MAX": talks.TALKS_MAX,
        "NEGOTIATIONS_PER_HOLDER_MAX": talks.TALKS_PER_HOLDER_MAX,
        "NEGOTIATIONS_REMEMBERED": TALKED_MAX,
        "CLAIMS_MAX": talks.CLAIMS_MAX,
        "CLAIMS_PER_ROOT_MAX": talks.CLAIMS_PER_ROOT_MAX,
        "RESALE_CALL_MS_MAX": CALL_MS_MAX,
        "CLAIM_WAIT_MS_MAX": WAIT_MS_MAX,
        "CLAIM_AGAIN_MS": AGAIN_MS,
        "CLAIMS_REMEMBERED_PER_LEASE": SPURNED_MAX,
        "DEPOSIT_FLOOR_UCR_MAX": written_again.MONEY_MAX,
        "TOKEN_POOLS_MAX": tokens.POOLS_MAX,
        "ORDERS_PER_POOL_MAX": tokens.ORDERS_MAX,
        "GRANTS_PER_POOL_MAX": tokens.GRANTS_MAX,
        "CALLS_MAX": tokens.CALLS_MAX,
        "CLOCK_STEP_MS_MAX": STEP_MS_MAX,
    }
    assert {name: getattr(limits, name) for name in both} == both


@cache
def _busy() -> tuple[dict[str, bytes], Book, int]:
    town, ids = busy_town()
    ids["bank"] = town.state.bank
    (plain,) = json.loads(dump(town.shard))["markets"]
    return ids, Book.from_plain(plain), town.at_ms


@pytest.mark.parametrize(("code", "sender", "command"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_broken_rule(code: Code, sender: KeyPair, command: Callable[[dict[str, bytes]], Command]) -> None:
    """What the market rejects with a code, the checker knows to be wrong for that reason."""
    ids, book, at_ms = _busy()
    asked = command(ids)
    kind = type(asked).__name__
    case = Case(book, asked, kind, bytes(16), at_ms, sender.public, book.keys[sender.public].account)
    assert REFUSALS[kind][str(code)](case)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_released_is_sound(version: int) -> None:
    """The checker decides as each released version of the rules did, and comes to the same state."""
    checker = Checker(PARTITION, PARTITIONS, OPERATOR.public, is_proven)
    for record in records(version):
        headers = [(name, unhex(value)) for name, value in record["headers"]]
        told = open_record(
            record["offset"], record["stamped_at_ms"], unhex(record["key"]), unhex(record["value"]), headers
        )
        entries: Entries = []
        for value in map(bytes.fromhex, record["entries"]):
            entry = plain_entry(value)
            assert entry is not None
            entries.append((*entry, value))
        feed(checker, told, entries)
    checker.look_over()
    assert checker.checked > 1_000


def test_a_forged_signature_is_never_accepted(moments: dict[tuple[str, str], Moment]) -> None:
    """Whatever the ledger says of a command: if its signature does not hold, only that may be said."""
    for (kind, code), moment in moments.items():
        said = moment.with_(moment.told, moment.entries, lambda *_: False)
        forged_anyway = UNPROVEN | ({"CommandUnreadable"} if moment.told.command is None else set())
        assert bool(said) == (code not in forged_anyway), (kind, code, said)


def test_a_good_signature_is_never_bad(moments: dict[tuple[str, str], Moment]) -> None:
    """Nobody is turned away for a signature that holds."""
    moment = next(moment for (_, code), moment in moments.items() if code == "BAD_SIGNATURE")
    assert "not CommandRejected" in moment.with_(moment.told, moment.entries, lambda *_: True)


def _another(value: Any, annotation: str) -> Any:
    """Another value of the same type; None where there is none."""
    match value:
        case None:
            others = {"int": 7, "bytes": bytes(16), "Claim": Claim(Priority.HIGH, 0, 0)}
            return next(other for kind, other in others.items() if kind in annotation)
        case bool():
            return not value
        case int():
            return value + 1
        case bytes():
            return bytes(byte ^ 1 for byte in value)
        case StrEnum():
            return next(other for other in type(value) if other not in (value, "UNSPECIFIED"))
        case str():
            return value + "x"
        case tuple():
            return value[:-1] if value else None
        case Claim():
            return None
        case _:
            raise AssertionError(f"a field of type {annotation}")


def test_each_field_of_a_command_counts(moments: dict[tuple[str, str], Moment]) -> None:
    """Had an accepted command said anything else in any field, the records would not fit it."""
    tried, missed = 0, []
    for (kind, code), moment in moments.items():
        command = moment.told.command
        if code != "CommandAccepted" or command is None:
            continue
        for field in dataclasses.fields(command):  # type: ignore[arg-type]  # each command is a dataclass
            other = _another(getattr(command, field.name), str(field.type))
            if other is None:
                continue
            tried += 1
            changed: Any = replace(command, **{field.name: other})  # type: ignore[type-var]  # the same
            if not moment.with_(replace(moment.told, command=changed), moment.entries):
                missed.append(f"{kind}.{field.name}")
    assert tried > 130
    assert not missed, missed


def _said(moment: Moment, outcome: str, code: str) -> Entries:
    """The records of a moment up to its outcome, which is another one."""
    kind, event = outcome_of(moment.entries)
    before = moment.entries[: [k for k, _, _ in moment.entries].index(kind)]
    changed = {name: event.get(name) for name in ("source", "account", "key", "sequence", "kind")}
    changed["kind"] = type(moment.told.command).__name__
    credentials = moment.told.credentials
    assert credentials is not None
    changed["key"], changed["sequence"] = credentials.key, credentials.sequence
    account = pickle.loads(moment.checker).books["default"].keys[credentials.key].account
    return [*before, (outcome, changed | {"account": account, "code": code, "detail": ""}, moment.entries[-1][2])]


def test_nothing_is_rejected_without_a_reason(moments: dict[tuple[str, str], Moment]) -> None:
    """A command that was accepted could have been rejected with no code, be it one of its type or another."""
    tried = 0
    for (kind, code), moment in moments.items():
        if code != "CommandAccepted" or kind == "OpenMarket":
            continue
        for reason in (*REFUSALS[kind], "ACCEPTED", "BAD_SIGNATURE", "REVOKED_KEY", "STALE_SEQUENCE"):
            tried += 1
            assert moment.with_(moment.told, _said(moment, "CommandRejected", reason)), (kind, reason)
    assert tried > 350


def test_nothing_is_accepted_with_a_reason(moments: dict[tuple[str, str], Moment]) -> None:
    """A command that was rejected could not have been accepted."""
    for (kind, code), moment in moments.items():
        known = code not in UNPROVEN | {"CommandAccepted", "CommandUnreadable", "UNKNOWN_KEY"} and kind
        if known and outcome_of(moment.entries)[0] == "CommandRejected":
            said = moment.with_(moment.told, _said(moment, "CommandAccepted", ""))
            assert "is to be rejected" in said or "the outcome is" in said, (kind, code, said)


def test_each_effect_of_a_command_is_needed(moments: dict[tuple[str, str], Moment]) -> None:
    """An accepted command leads to what it asks for: one of those events fewer, or none at all, is too little."""
    tried = 0
    for (kind, code), moment in moments.items():
        if code != "CommandAccepted" or kind == "OpenMarket":
            continue
        first = 1 + [name for name, _, _ in moment.entries].index("CommandAccepted")
        assert moment.with_(moment.told, moment.entries[:first]), kind
        for at in range(first, len(moment.entries)):
            if moment.entries[at][0] in ASKS[kind].musts:
                tried += 1
                left = [*moment.entries[:at], *moment.entries[at + 1 :]]
                numbered = [
                    (name, event | {"source": event["source"] | {"index": index}}, value)
                    for index, (name, event, value) in enumerate(left)
                ]
                assert moment.with_(moment.told, numbered), (kind, moment.entries[at][0])
    assert tried > 40


def test_verify_finds_it_sound(topics: Topics) -> None:
    """The market and the checker agree. The killer of the mutants of planted_checker.py, which are in both of verify's
    runs of market/."""
    report, _ = verify(source_of(topics), Order(OPERATOR.public))
    assert report.divergence is None
