"""Reads the log and says whether every award was made exactly once. Decides by the log alone, and by what the broker
acknowledged of what was to be in it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from confluent_kafka import TopicPartition

from contractnet.chain import CHAIN_START, chain
from contractnet.codec import decode_entry, encode
from contractnet.envelope import is_proven, open_record
from contractnet.messages import Cause, Direction, Entry, NegotiationOutcome, PostingReason, Progress
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.sealing import values_of
from contractnet.topics import LEDGER, NOTICES
from contractnet.watermarks import watermarks
from faults.acknowledged import Receipts
from faults.records import Stored, stored
from market import Shard, told
from market.works import escrow_of
from streams.reading import new_consumer, read_partition

ENDS = {Progress.DONE, Progress.FAILED, Progress.TIMED_OUT}
PAYMENTS = {PostingReason.AWARD, PostingReason.DEAL, PostingReason.FORFEIT}
NOTHING = Receipts()
OUTCOMES = (e.CommandAccepted, e.CommandRejected, e.CommandRepeated, e.CommandUnreadable)


@dataclass
class Verdict:
    """What the log of one partition says. `unclosed`: CFPs without an end, which a test that has waited for them all
    counts as lost; `visible`: records that read_uncommitted shows beside the committed ones; `works`: awards of bought
    work; `resold`: awards in calls for leases that were bargained for; `acknowledged`: commands that the broker said it
    had stored; `records`: of the ledger; `mix`: what else came about of the load."""

    commands: int = 0
    ticks: int = 0
    awards: int = 0
    works: int = 0
    deals: int = 0
    resold: int = 0
    claims: int = 0
    grants: int = 0
    mix: Counter[str] = field(default_factory=Counter)
    duplicate: int = 0
    lost: int = 0
    torn: int = 0
    diverged: int = 0
    unclosed: int = 0
    visible: int = 0
    acknowledged: int = 0
    records: int = 0

    @property
    def sound(self) -> bool:
        return not (self.duplicate or self.lost or self.torn or self.diverged)


SETTLE_S = 10.0


def _let_commits_show(bootstrap: str, partition: int) -> None:
    """Kafka acknowledges a commit a moment before its records are visible: give it that moment."""
    stable, everything = new_consumer(bootstrap), new_consumer(bootstrap, **{"isolation.level": "read_uncommitted"})
    give_up_at = time.monotonic() + SETTLE_S
    for place in (TopicPartition(topic.name, partition) for topic in (LEDGER, NOTICES)):
        while watermarks(stable, place)[1] < watermarks(everything, place)[1] and time.monotonic() < give_up_at:
            time.sleep(0.05)
    stable.close()
    everything.close()


def check(
    bootstrap: str, partition: int, partitions: int, operator_key: bytes, acknowledged: Receipts = NOTHING
) -> Verdict:
    """Judge all commands of a partition again from nothing and compare with ledger and notices, record by record.

    The workers have been stopped: one that lives records that time goes on after 30 s of silence, which would be in
    what is read last and not in what was read first.

    A reader at read_uncommitted may also see what transactions left behind that did not commit: each such record has
    to be the very record that judging gives for its place. What the broker acknowledged has to be there.
    """
    verdict = Verdict()
    _let_commits_show(bootstrap, partition)
    ledger = list(read_partition(bootstrap, LEDGER.name, partition, 0))
    notices = list(read_partition(bootstrap, NOTICES.name, partition, 0))
    entries = [decode_entry(r.value) for r in ledger]
    judged = _judge(
        bootstrap, Shard(partition, partitions, operator_key, is_proven, head=CHAIN_START), entries, verdict
    )
    verdict.acknowledged = len(acknowledged)
    verdict.lost += acknowledged.missing(judged.commands)
    verdict.records = len(ledger)
    found = [r.value + dict(r.headers)["chain"] for r in ledger]
    verdict.diverged = _differences(list(judged.entries.values()), found)
    verdict.diverged += _differences(judged.notices, [r.value for r in notices])
    for u in stored(bootstrap, partition, LEDGER.name):
        assert u.value is not None
        source = decode_entry(u.value).source
        verdict.visible += 1
        place = judged.entries.get((source.offset, source.index))
        verdict.diverged += place != u.value + (dict(u.headers)["chain"] or b"")
    told_at = stored(bootstrap, partition, NOTICES.name)
    verdict.visible += len(told_at) - len(ledger) - len(notices)
    verdict.diverged += out_of_place(judged.notices, told_at, {r.offset for r in notices})
    _check_awards(entries, verdict)
    return verdict


@dataclass
class _Judged:
    """What judging again gives: entries with their chain by place, notices in order; ids of the commands by offset."""

    entries: dict[tuple[int, int], bytes] = field(default_factory=dict)
    notices: list[bytes] = field(default_factory=list)
    commands: dict[int, bytes] = field(default_factory=dict)


def _judge(bootstrap: str, shard: Shard, entries: list[Entry], verdict: Verdict) -> _Judged:
    """Judge every stored command, and count those that have not one outcome among `entries`."""
    judged = _Judged()
    judged_to = max((x.source.offset for x in entries), default=-1)
    outcomes = Counter(x.source.offset for x in entries if isinstance(x.event, OUTCOMES))
    for r in stored(bootstrap, shard.partition):
        submission = open_record(r.offset, r.timestamp, r.key, r.value, r.headers)
        if isinstance(submission.command, c.Tick):
            verdict.ticks += 1
            if r.offset > judged_to:
                continue  # workers have stopped before it; a tick may be read again at any time
        else:
            verdict.commands += 1
            verdict.lost += outcomes[r.offset] == 0
            verdict.duplicate += outcomes[r.offset] > 1
            judged.commands[r.offset] = submission.command_id
        answer = shard.apply(submission)
        for entry in answer:
            encoded = encode(entry)
            source = entry.source
            place = (source.offset, source.index)
            shard.head = chain(shard.head, shard.partition, *place, submission.digest, encoded)
            judged.entries[place] = encoded + shard.head
        judged.notices += values_of(told(shard, submission.market, answer)) if answer else []
    return judged


def out_of_place(expected: list[bytes], seen: list[Stored], committed: set[int]) -> int:
    """How many notices of transactions that did not commit are not the ones that judging gives for their place.

    A notice does not say its place. But whoever writes begins after the last one that committed and goes on in order,
    so what is not committed has to follow from that one, or from the one before it.
    """
    wrong, done, following = 0, 0, 0
    for record in seen:
        if record.offset in committed:
            done += 1
            following = done
            continue
        place = next((n for n in (following, done) if n < len(expected) and expected[n] == record.value), None)
        wrong += place is None
        following = (following if place is None else place) + 1
    return wrong


def _differences(expected: list[bytes], found: list[bytes]) -> int:
    return sum(a != b for a, b in zip(expected, found, strict=False)) + abs(len(expected) - len(found))


def _check_awards(entries: list[Entry], verdict: Verdict) -> None:
    """Each award and each deal once, with its lease, its hold's capture and its payment; of work that is bought the
    latter two at its one end."""
    calls = {x.event.cfp: x.event for x in entries if isinstance(x.event, e.CfpOpened)}
    made = [x.event for x in entries if isinstance(x.event, e.AwardMade)]
    times = Counter(award.award for award in made)
    slots = Counter(award.cfp for award in made)
    works = {award.award for award in made if calls[award.cfp].direction is Direction.BUY}
    ends = Counter(x.event.award for x in entries if isinstance(x.event, e.WorkReported) and x.event.progress in ENDS)
    closed = [x.event for x in entries if isinstance(x.event, e.NegotiationClosed)]
    deals = Counter(x.negotiation for x in closed if x.outcome is NegotiationOutcome.DEAL)
    parts = _parts(entries, {escrow_of(work): work for work in works})
    # A deal that is called for has the parts of whatever award comes of the call.
    settled = [deal for deal in deals if deal not in calls]
    wanted = {ident: 1 + 2 * ends[ident] if ident in works else 3 for ident in [*times, *settled]}
    verdict.awards, verdict.works, verdict.deals = len(made), len(works), sum(deals.values())
    verdict.resold = sum(award.cfp in deals for award in made)
    verdict.claims = sum(isinstance(x.event, e.LeaseClaimed) for x in entries)
    verdict.grants = sum(isinstance(x.event, e.TokensGranted) for x in entries)
    verdict.mix = _mix(entries, works)
    verdict.unclosed = len(set(calls) - {x.event.cfp for x in entries if isinstance(x.event, e.CfpClosed)})
    verdict.unclosed += sum(not ends[work] for work in works)
    verdict.duplicate += sum(n > 1 for found in (times, ends, deals) for n in found.values())
    verdict.duplicate += sum(n > calls[cfp].slots for cfp, n in slots.items())
    verdict.torn += sum(parts[ident] != n for ident, n in wanted.items())
    verdict.torn += sum(part not in wanted for part in parts)


def _mix(entries: list[Entry], works: set[bytes]) -> Counter[str]:
    """Work whose contractor the buyer chose, deals over issues, weights and floors that were set, deposits that were
    paid, and rates of tokens that reports of 429s have halved."""
    found: Counter[str] = Counter()
    managed = {x.event.cfp for x in entries if isinstance(x.event, e.AwardDeferred)}
    for entry in entries:
        match entry.event:
            case e.AwardMade(award=award, cfp=cfp):
                found["hired"] += award in works and cfp in managed
            case e.NegotiationClosed(outcome=NegotiationOutcome.DEAL, options=options):
                found["optional"] += bool(options)
            case e.WeightChanged():
                found["weights"] += 1
            case e.DepositSet(floor_ucr=floor_ucr):
                found["floors"] += floor_ucr > 0
            case e.CreditsTransferred(reason=PostingReason.DEPOSIT):
                found["deposits"] += 1
            case e.TokenRateChanged():
                # By a report. A rate rises again with a clearing, which falls due.
                found["slowed"] += entry.source.cause is Cause.COMMAND
    return found


def _parts(entries: list[Entry], escrows: dict[bytes, bytes]) -> Counter[bytes]:
    """How many events lock something, capture a hold or pay for an award or a deal, by its id."""
    parts: Counter[bytes] = Counter()
    for entry in entries:
        event = entry.event
        if isinstance(event, e.SlotReserved):
            parts[event.award] += 1
        elif isinstance(event, e.HoldCaptured):
            parts[escrows.get(event.hold, event.hold)] += 1
        elif isinstance(event, e.CreditsTransferred) and event.award is not None and event.reason in PAYMENTS:
            parts[event.award] += 1
    return parts
