"""`contractnet replay --set`: the commands judged again under other terms, beside how they were judged.

Agents' commands stay as they are, and ties fall as they fell: what differs follows from the change alone. It is no
forecast, as agents that had known of the change would have sent other commands.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TextIO

from analytics.verify.export import opened
from analytics.verify.kafka import KafkaSource
from analytics.verify.source import RecordSource
from contractnet import codec
from contractnet.chain import CHAIN_START, chain
from contractnet.envelope import is_proven, open_record
from contractnet.errors import ReplayError
from contractnet.messages import Awarder, Code, Command, Direction, Entry, Pricing, Submission
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.money import credits_text
from contractnet.progress import Progress
from contractnet.topics import COMMANDS
from market import Shard
from market.rules import RULES

Alter = Callable[[Command], Command]
"""A command as it would have been."""

AGENTS_SHOWN = 20
RESERVE_PERCENT_MAX = 10_000
_SHOWN = 40
_PERCENT = re.compile(r"([0-9]{1,5})%")


def _pricing(text: str) -> Alter:
    if text not in (Pricing.FIRST, Pricing.SECOND):
        raise ReplayError(f"pricing={text[:_SHOWN]} is neither FIRST nor SECOND.")
    pricing = Pricing(text)

    def alter(command: Command) -> Command:
        # A manager that chooses has first prices always.
        if isinstance(command, c.CallForProposals) and command.award is Awarder.AUTO:
            return replace(command, pricing=pricing)
        return command

    return alter


def _reserve(text: str) -> Alter:
    found = _PERCENT.fullmatch(text)
    if found is None or int(found[1]) > RESERVE_PERCENT_MAX:
        raise ReplayError(f"reserve={text[:_SHOWN]} is no share of 0% to {RESERVE_PERCENT_MAX}%, such as 150%.")
    percent = int(found[1])

    def alter(command: Command) -> Command:
        if isinstance(command, c.CallForProposals) and command.direction is Direction.SELL:
            return replace(command, reserve_price_ucr=max(1, command.reserve_price_ucr * percent // 100))
        return command

    return alter


def _weights(text: str) -> Alter:
    if text != "off":
        raise ReplayError(f"weights={text[:_SHOWN]}: only off, with which all prices count alike.")
    return lambda command: replace(command, weight_permille=1000) if isinstance(command, c.SetWeight) else command


def _rules(text: str) -> Alter:
    if not text.isdecimal() or int(text) not in RULES:
        raise ReplayError(f"rules={text[:_SHOWN]} is no version of the rules: {', '.join(map(str, RULES))}.")
    version = int(text)

    def alter(command: Command) -> Command:
        match command:
            case c.OpenMarket():
                return replace(command, rules_version=version)
            case c.ActivateRules():
                return replace(command, version=version)
        return command

    return alter


SETTINGS: Mapping[str, Callable[[str], Alter]] = {
    "pricing": _pricing,
    "reserve": _reserve,
    "weights": _weights,
    "rules": _rules,
}


def changes(settings: Sequence[str]) -> list[Alter]:
    """What `--set NAME=VALUE` asks for. Raises ReplayError for a name or value that means nothing, or a name twice."""
    named = [text.partition("=")[::2] for text in settings]
    for name, _ in named:
        if name not in SETTINGS:
            raise ReplayError(f"--set {name[:_SHOWN]}: what can be set is {', '.join(SETTINGS)}, as in pricing=FIRST.")
    if len({name for name, _ in named}) < len(named):
        raise ReplayError("--set names the same thing twice.")
    return [SETTINGS[name](value) for name, value in named]


@dataclass(slots=True)
class Side:
    """What became of a market: of each awarded bid its call and price, of each account how often it won."""

    awards: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    won: Counter[bytes] = field(default_factory=Counter)

    def take(self, entries: Iterable[Entry]) -> None:
        """Keep what was awarded."""
        for entry in entries:
            if isinstance(event := entry.event, e.AwardMade):
                self.awards[event.award] = (event.cfp, event.price_ucr)
                self.won[event.account] += 1


@dataclass(slots=True)
class Agent:
    """An account at the end, then and now."""

    name: str
    project: str
    won: tuple[int, int]
    balance_ucr: tuple[int, int]


@dataclass(slots=True)
class Comparison:
    """One market under the terms that it had, `then`, and under the others, `now`. `codes` counts the commands that
    were answered otherwise, by both codes; `calls` has the pool of each call, or the kind of work that it buys."""

    market: str
    then: Side = field(default_factory=Side)
    now: Side = field(default_factory=Side)
    codes: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: dict[bytes, str] = field(default_factory=dict)
    agents: list[Agent] = field(default_factory=list)

    @property
    def both(self) -> set[bytes]:
        """Bids that win either way."""
        return self.then.awards.keys() & self.now.awards.keys()

    def take(self, then: list[Entry], now: list[Entry]) -> None:
        """Compare how one command was answered."""
        self.then.take(then)
        self.now.take(now)
        for entry in (*then, *now):
            if isinstance(event := entry.event, e.CfpOpened):
                self.calls[event.cfp] = event.pool if event.direction is Direction.SELL else f"{event.pool} (work)"
        codes = outcome(then), outcome(now)
        if codes[0] != codes[1]:
            self.codes[codes] += 1


def outcome(entries: Iterable[Entry]) -> str:
    """The code with which a command was answered; empty for a tick."""
    for entry in entries:
        match entry.event:
            case e.CommandRejected(code=code):
                return code
            case e.CommandRepeated():
                return "REPEATED"
            case e.CommandUnreadable():
                return Code.UNREADABLE
            case e.CommandAccepted() | e.MarketOpened():
                return Code.ACCEPTED
    return ""


class Rerun:
    """One partition, judged as it was and as it would have been."""

    def __init__(self, partition: int, partitions: int, operator_key: bytes, alters: Sequence[Alter]) -> None:
        self._proven: tuple[int, bool] = (-1, False)
        self._then = Shard(partition, partitions, operator_key, self._verify, head=CHAIN_START)
        self._now = Shard(partition, partitions, operator_key, self._verify)
        self._alters = alters
        self.markets: dict[str, Comparison] = {}

    def judge(self, submission: Submission) -> None:
        """Take the next record."""
        command = submission.command
        for alter in self._alters:
            command = command and alter(command)
        self._now.head = self._then.head  # ties are drawn by it
        then, now = self._then.apply(submission), self._now.apply(replace(submission, command=command))
        for entry in then:
            at, value = entry.source, codec.encode(entry)
            self._then.head = chain(
                self._then.head, self._then.partition, at.offset, at.index, submission.digest, value
            )
        if submission.market in self._then.markets or submission.market in self._now.markets:
            self.markets.setdefault(submission.market, Comparison(submission.market)).take(then, now)

    def finish(self) -> None:
        """Look at what everybody has at the end."""
        for name, market in self.markets.items():
            sides = [shard.markets[name].accounts if name in shard.markets else {} for shard in (self._then, self._now)]
            for ident in sides[0] | sides[1]:
                then, now = (side.get(ident) for side in sides)
                either = then or now
                assert either is not None
                balances = (then.balance_ucr if then else 0, now.balance_ucr if now else 0)
                won = (market.then.won[ident], market.now.won[ident])
                market.agents.append(Agent(either.name, either.project, won, balances))

    def _verify(self, submission: Submission, genesis: bytes) -> bool:
        # Both sides ask, of a market with the same genesis.
        if self._proven[0] != submission.offset:
            self._proven = submission.offset, is_proven(submission, genesis)
        return self._proven[1]


def rerun(
    source: RecordSource, operator_key: bytes, alters: Sequence[Alter], until_ms: int | None, out: TextIO | None
) -> tuple[dict[str, Comparison], int]:
    """Judge all commands up to a moment twice. Returns the markets by name, and how many commands there were.

    `operator_key` is the trusted operator's, 32 bytes. Raises what the source raises.
    """
    partitions, progress = source.partitions(COMMANDS.name), Progress(out)
    markets: dict[str, Comparison] = {}
    count = 0
    for partition in range(partitions):
        again = Rerun(partition, partitions, operator_key, alters)
        _, end = source.bounds(COMMANDS.name, partition)
        for record in source.read(COMMANDS.name, partition, 0):
            if record.offset >= end or (until_ms is not None and record.timestamp > until_ms):
                break
            again.judge(open_record(*record))
            count += 1
            progress.tell(partial(_line, partition, record.offset, end))
        again.finish()
        markets |= again.markets
    return markets, count


def _line(partition: int, offset: int, end: int, _: float) -> str:
    return f"commands[{partition}]: offset {offset:,} of {end:,}"


def lines(market: Comparison, terms: str) -> Iterator[str]:
    """The report on a market, in words."""
    then, now, both = market.then.awards, market.now.awards, market.both
    dearer = sum(now[bid][1] > then[bid][1] for bid in both)
    cheaper = sum(now[bid][1] < then[bid][1] for bid in both)
    paid = [sum(price for _, price in side.values()) for side in (then, now)]
    yield f"market {market.market!r}, as it was and with {terms}"
    yield f"  awards  {len(then):,} at {credits_text(paid[0])} credits; {len(now):,} at {credits_text(paid[1])}"
    yield (
        f"  {len(both):,} bids win either way: {len(both) - dearer - cheaper:,} at the same price, {dearer:,} dearer, "
        f"{cheaper:,} cheaper; {len(then) - len(both):,} as it was only, {len(now) - len(both):,} with the change only"
    )
    answered = ", ".join(f"{a or 'nothing'} -> {b or 'nothing'} {n:,}" for (a, b), n in market.codes.most_common(8))
    yield f"  commands answered otherwise: {market.codes.total():,}{': ' if answered else ''}{answered}"
    yield from _pools(market)
    yield from _agents(market)


def _pools(market: Comparison) -> Iterator[str]:
    rows: dict[str, list[int]] = {}
    for at, side in enumerate((market.then, market.now)):
        for cfp, price_ucr in side.awards.values():
            row = rows.setdefault(market.calls[cfp], [0, 0, 0, 0])
            row[2 * at] += 1
            row[2 * at + 1] += price_ucr
    if rows:
        yield f"  {'pool':<24}{'awards':>8}{'now':>8}{'credits':>16}{'now':>16}"
    for pool, (then, then_ucr, now, now_ucr) in sorted(rows.items()):
        yield f"  {pool:<24}{then:>8,}{now:>8,}{credits_text(then_ucr):>16}{credits_text(now_ucr):>16}"


def _agents(market: Comparison) -> Iterator[str]:
    differ = [agent for agent in market.agents if agent.won[0] != agent.won[1] or len({*agent.balance_ucr}) > 1]
    if not differ:
        yield f"  none of {len(market.agents):,} accounts ends otherwise"
        return
    yield f"  {'account':<24}{'won':>8}{'now':>8}{'balance':>16}{'now':>16}{'difference':>16}"

    def difference_ucr(agent: Agent) -> int:
        return agent.balance_ucr[1] - agent.balance_ucr[0]

    for agent in sorted(differ, key=lambda agent: (-abs(difference_ucr(agent)), agent.name))[:AGENTS_SHOWN]:
        balances = "".join(f"{credits_text(ucr):>16}" for ucr in (*agent.balance_ucr, difference_ucr(agent)))
        yield f"  {agent.name:<24}{agent.won[0]:>8,}{agent.won[1]:>8,}{balances}"
    if len(differ) > AGENTS_SHOWN:
        yield f"  and {len(differ) - AGENTS_SHOWN:,} more of {len(market.agents):,}"


def run(
    where: str | Path,
    settings: Sequence[str],
    operator_key: bytes,
    *,
    until_ms: int | None,
    out: TextIO | None,
) -> list[str]:
    """Compare what the commands at a broker's address or in the directory of an export came to and would have come to.

    Commands stamped later than `until_ms` are left out. Raises ReplayError for settings that mean nothing and where the
    operator has opened no market; ContractnetError, KafkaException.
    """
    alters = changes(settings)
    started_s = time.monotonic()
    source: RecordSource
    if isinstance(where, Path):
        source, _ = opened(where, frozenset({operator_key}), out)
    else:
        source = KafkaSource(where)
    markets, count = rerun(source, operator_key, alters, until_ms, out)
    if not markets:
        raise ReplayError(
            f"No market by the operator with key {operator_key.hex()[:16]}... is there up to that moment."
        )
    terms = ", ".join(settings)
    found = [line for _, market in sorted(markets.items()) for line in lines(market, terms)]
    took_s = time.monotonic() - started_s
    return [*found, f"{count:,} commands judged twice in {took_s:.1f} s; what agents would have sent is not known"]
