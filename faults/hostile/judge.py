"""What came of every shot: the ledger alone tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from contractnet.messages import Code, Entry, Event
from contractnet.messages import events as e
from faults.hostile.ground import ACCEPTED, REPEATED, Ground, Shot

WRONG_MAX = 5
NONE = ""
"""The word for no outcome: right for a tick, and for nothing else."""


def word_of(event: Event) -> str | None:
    """The outcome that an event gives to its command, if it is one that does."""
    match event:
        case e.CommandAccepted():
            return ACCEPTED
        case e.CommandRejected():
            return str(event.code)
        case e.CommandRepeated():
            return REPEATED
        case e.CommandUnreadable():
            return str(Code.UNREADABLE)
        case _:
            return None


@dataclass
class Verdict:
    """Counts of one kind. `accepted`: attempts that took effect and must not have; `legal`: those that may.

    `honest_lost`: what honest members sent that has not the outcome, or the award, that it has to have. `wrong` tells
    of the first attempts and commands that came out otherwise. `held_credit_s`: credits times seconds of the insider
    that were held and not spent: what hold griefing costs the griefer. `races`: those of which exactly as many shots
    were accepted as may be; one more is an attempt that took effect and must not have.
    """

    kind: str
    attempts: int = 0
    accepted: int = 0
    legal: int = 0
    honest: int = 0
    honest_lost: int = 0
    awards: int = 0
    races: int = 0
    misjudged: int = 0
    held_credit_s: float = 0.0
    max_ms: float = 0.0
    growth: float = 0.0
    codes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing forged was accepted, nothing honest lost, and every attempt had its code."""
        return not (self.accepted or self.honest_lost or self.misjudged)

    def note(self, what: str, found: str | None, expected: str) -> None:
        """An attempt that no ledger tells of: something else has to refuse it. `found` None: it did not."""
        self.attempts += 1
        self.codes[found or "NOT_REFUSED"] += 1
        self.accepted += found is None
        self.misjudged += found != expected
        if found != expected and len(self.wrong) < WRONG_MAX:
            self.wrong.append(f"{what}: came to {found}, expected {expected}")

    def add(self, more: Verdict) -> None:
        """Add what was noted elsewhere of the same kind."""
        for name in ("attempts", "accepted", "honest", "honest_lost", "misjudged"):
            setattr(self, name, getattr(self, name) + getattr(more, name))
        self.codes += more.codes
        self.wrong += more.wrong

    def line(self) -> str:
        """The verdict in one line."""
        codes = " ".join(f"{name or 'NONE'}={count}" for name, count in self.codes.most_common())
        cost = f" races={self.races}" if self.races else ""
        cost += f" held_credit_s={self.held_credit_s:.0f}" if self.held_credit_s else ""
        pace = f" max_ms={self.max_ms:.1f} growth={self.growth:.2f}" if self.max_ms else ""
        return (
            f"{self.kind}: attempts={self.attempts} accepted={self.accepted} legal={self.legal} "
            f"misjudged={self.misjudged} honest={self.honest} honest_lost={self.honest_lost} awards={self.awards}"
            f"{cost}{pace} | {codes}"
        )


def judge(kind: str, shots: dict[int, Shot], entries: Iterable[Entry], ground: Ground) -> Verdict:
    """Compare what was sent, by offset, with the ledger of its partition."""
    verdict = Verdict(kind)
    outcomes: dict[int, list[str]] = {}
    awards: dict[bytes, list[tuple[bytes, int]]] = {}
    held: dict[bytes, tuple[int, int]] = {}
    mallory = ground.accounts[ground.mallory.public]
    for entry in entries:
        event = entry.event
        if (word := word_of(event)) is not None:
            outcomes.setdefault(entry.source.offset, []).append(word)
        elif isinstance(event, e.AwardMade):
            awards.setdefault(event.cfp, []).append((event.award, event.price_ucr))
        elif isinstance(event, e.HoldPlaced) and event.account == mallory:
            held[event.hold] = (event.amount_ucr, entry.source.at_ms)
        elif isinstance(event, e.HoldReleased) and event.account == mallory:
            amount_ucr, since_ms = held.pop(event.hold)
            verdict.held_credit_s += amount_ucr / 1e6 * (entry.source.at_ms - since_ms) / 1000
    for offset, shot in shots.items():
        _count(verdict, offset, shot, outcomes.get(offset, [NONE]))
    _count_races(verdict, shots, outcomes, ground.races)
    for cfp, promised in ground.promised.items():
        verdict.awards += 1
        winner, second_ucr = promised
        # Ties fall by the chain, which nobody knows beforehand: the winner has to reach the second bid, or exceed it.
        if awards.get(cfp) not in ([(winner, second_ucr)], [(winner, second_ucr + 1)]):
            verdict.honest_lost += 1
            verdict.wrong.append(f"CFP {cfp.hex()}: awards {awards.get(cfp)}, promised {promised}")
    return verdict


def _count_races(
    verdict: Verdict, shots: dict[int, Shot], outcomes: dict[int, list[str]], races: Mapping[int, int]
) -> None:
    won = Counter(shots[offset].race for offset, found in outcomes.items() if offset in shots and ACCEPTED in found)
    for race, wins in races.items():
        verdict.races += won[race] == wins
        if won[race] != wins:
            verdict.misjudged += 1
            verdict.accepted += max(0, won[race] - wins)
            verdict.legal -= max(0, won[race] - wins)
            verdict.wrong.append(f"race {race}: {won[race]} accepted, expected {wins}")


def _count(verdict: Verdict, offset: int, shot: Shot, found: list[str]) -> None:
    right = len(found) == 1 and found[0] in shot.expected
    if not shot.hostile:
        verdict.honest += 1
        verdict.honest_lost += not right
    else:
        verdict.attempts += 1
        verdict.codes.update(found)
        verdict.misjudged += not right
        if ACCEPTED in found:
            verdict.legal += ACCEPTED in shot.expected
            verdict.accepted += ACCEPTED not in shot.expected
    if not right and len(verdict.wrong) < WRONG_MAX:
        who = "attempt" if shot.hostile else "honest command"
        verdict.wrong.append(f"offset {offset}: {who} came to {found}, expected {sorted(shot.expected)}")
