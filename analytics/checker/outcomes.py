"""What becomes of a command before the rules see it, for the independent checker, and that its outcome says so.

Whether a signature holds, a key is known and lives, and a sequence is new is decided here from the command as stored,
from nothing that the ledger says of it. What is left is the rules' to decide (refusals.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from analytics.checker.case import Case
from analytics.checker.parts import RULES, BrokenRuleError, Fields, Key, need, tag_of
from analytics.checker.refusals import REFUSALS
from contractnet.messages.commands import OpenMarket
from contractnet.messages.submission import Submission
from contractnet.signing import NO_GENESIS

if TYPE_CHECKING:
    from analytics.checker.books import Book

Verifier = Callable[[Submission, bytes], bool]
"""Whether the signature of a submission holds in the market with this genesis hash."""
ACCEPTED, REJECTED, REPEATED, UNREADABLE = "CommandAccepted", "CommandRejected", "CommandRepeated", "CommandUnreadable"
OUTCOMES = frozenset({ACCEPTED, REJECTED, REPEATED, UNREADABLE})
Verdict = tuple[str, str]
"""The outcome and its code. The outcome is empty where the rules decide."""
UNPROVEN = frozenset({"BAD_MARKET_NAME", "MISSING_SIGNATURE", "WRONG_PARTITION", "UNKNOWN_MARKET", "BAD_SIGNATURE"})
"""Codes of commands of which nothing is known to be true, not even the key."""


def is_proven(told: Submission, book: Book | None, verifier: Verifier) -> bool:
    """Whether the signature holds: of a genesis over the zero hash, else over the market's; where it asks for one."""
    if told.credentials is None or told.market is None:
        return False
    if isinstance(told.command, OpenMarket):
        return verifier(told, NO_GENESIS)
    return book is not None and (not book.signed or verifier(told, book.genesis))


def verdict(told: Submission, ident: bytes, book: Book | None, at_ms: int, *, proven: bool, home: bool) -> Verdict:
    """What becomes of a command; `home` is whether its market lives on this partition."""
    if told.command is None and not proven:
        return UNREADABLE, ""
    if told.market is None:
        return REJECTED, "BAD_MARKET_NAME"
    if told.credentials is None:
        return REJECTED, "MISSING_SIGNATURE"
    if not home:
        return REJECTED, "WRONG_PARTITION"
    if book is None and not isinstance(told.command, OpenMarket):
        return REJECTED, "UNKNOWN_MARKET"
    if not proven:
        return REJECTED, "BAD_SIGNATURE"
    if book is None:
        return "", ""
    key = book.keys.get(told.credentials.key)
    return (REJECTED, "UNKNOWN_KEY") if key is None else _of_key(told, ident, key, at_ms)


def _of_key(told: Submission, ident: bytes, key: Key, at_ms: int) -> Verdict:
    """The same for the command of a known key."""
    assert told.credentials is not None
    sequence = told.credentials.sequence
    tag, code = key.used.get(sequence, (b"", ""))
    same = tag == tag_of(ident)
    ended = key.revoked or (key.expires_at_ms is not None and at_ms >= key.expires_at_ms)
    if ended and not (same and told.command is not None):
        return REJECTED, "REVOKED_KEY"
    if told.command is None:
        return UNREADABLE, ""
    if same:
        return REPEATED, code
    return (REJECTED, "STALE_SEQUENCE") if tag or sequence <= key.floor else ("", "")


def genesis_refusal(told: Submission, partitions: int, operator_key: bytes) -> str:
    """Why a market is not opened by a command whose signature holds; empty: it is."""
    command, credentials = told.command, told.credentials
    assert isinstance(command, OpenMarket)
    assert credentials is not None
    if credentials.key != operator_key:
        return "UNTRUSTED_OPERATOR"
    if command.bank_key == credentials.key:
        return "KEY_TAKEN"
    if command.partitions != partitions:
        return "BAD_PARTITIONS"
    return "" if command.rules_version in RULES else "UNKNOWN_RULES"


def check_before_rules(found: Verdict, kind: str, e: Fields, told: Submission, book: Book | None) -> None:
    """An outcome that the rules have no part in is the one that it has to be, and says so."""
    outcome, code = found
    need(kind == outcome, f"the outcome is {outcome}{code and ' ' + code}, not {kind}")
    if outcome == UNREADABLE:
        digest = hashlib.sha256(told.value).digest()
        same = (e["reason"], e["size_bytes"], e["digest"]) == (told.unreadable, len(told.value), digest)
        need(same, "what cannot be read is described")
        return
    need(e["code"] == code, f"the outcome is {code}, not {e['code']}")
    key = None if code in UNPROVEN or told.credentials is None else told.credentials.key
    owner = None if key is None or book is None or key not in book.keys else book.keys[key].account
    sequence = None
    if outcome == REPEATED:
        assert told.credentials is not None
        owner, sequence = owner or bytes(16), told.credentials.sequence
    else:
        need(e["kind"] == kind_of(told), "an outcome names the kind of its command")
        owner = owner if code == "STALE_SEQUENCE" else None
    who = (owner, key, sequence)
    need((e["account"], e["key"], e["sequence"]) == who, "an outcome names whose command it was, as far as known")


def check_by_rules(case: Case, kind: str, e: Fields, sequence: int) -> None:
    """A command is accepted where no rule speaks against it, and rejected for one that does."""
    need(kind in (ACCEPTED, REJECTED), f"the rules decide, and not {kind}")
    who = (e["account"], e["key"], e["sequence"], e["kind"])
    need(who == (case.sender, case.public, sequence, case.kind), "an outcome names its command, key and account")
    refusals = REFUSALS[case.kind]
    if kind == ACCEPTED:
        for code, applies in refusals.items():
            if applies(case):
                raise BrokenRuleError(f"{case.kind} is to be rejected with {code}")
        code = "ACCEPTED"
    else:
        code = e["code"]
        need(code in refusals, f"{case.kind} is not rejected with {code}")
        need(refusals[code](case), f"there is no reason to reject {case.kind} with {code}")
    case.book.keys[case.public].remember(sequence, tag_of(case.ident), code)


def kind_of(told: Submission) -> str:
    """The type of a command; empty for what is none."""
    return "" if told.command is None else type(told.command).__name__
