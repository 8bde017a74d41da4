"""Markets in memory: signed commands, and what a referee makes of them, as topics of a MemorySource."""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

from analytics.verify.source import Headers, MemorySource, StoredRecord
from contractnet import codec
from contractnet.chain import CHAIN_START, chain
from contractnet.envelope import is_proven, open_record, seal
from contractnet.messages import Awarder, Command, Direction, Issue, NegotiationProtocol, Pricing
from contractnet.messages import commands as c
from contractnet.sealing import values_of
from contractnet.signing import NO_GENESIS, KeyPair
from contractnet.topics import COMMANDS, LEDGER, NOTICES, SNAPSHOTS
from market import Shard, told
from market.rules import RULES
from market.snapshot import dump
from projections.decode import LedgerRecord
from projections.layout import Layout
from projections.publish import Publisher
from projections.settings import ProjectionSettings
from projections.store import Store
from streams.snapshots import Manifest
from tests.analytics.town_parts import change_keys, hoard, open_tokens, sell_on, trade_tokens
from tests.market.buyers import ask, buying, chosen, done, failed, started
from tests.market.town import START_MS, budget, key_pair

PARTITIONS = 4
MARKETS = {0: "Ω-market", 2: "gpu-eu-west", 3: "default"}
"""A market for each of three partitions; partition 1 stays empty."""
OPERATOR, BANK, MANAGER = key_pair("operator"), key_pair("bank"), key_pair("manager")
COMMANDS_PER_TRANSACTION = 5

Topics = dict[str, list[list[StoredRecord]]]


@dataclass
class Traffic:
    """Random commands to one market, as the commands topic stores them."""

    market: str
    seed: int
    records: list[StoredRecord] = field(default_factory=list)
    at_ms: int = START_MS
    genesis: bytes = NO_GENESIS
    sequences: dict[bytes, int] = field(default_factory=dict)
    cfps: list[bytes] = field(default_factory=list)
    bids: list[tuple[bytes, KeyPair]] = field(default_factory=list)
    accounts: list[bytes] = field(default_factory=list)
    signed: bool = True
    operator: KeyPair = OPERATOR

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.market}/{self.seed}")
        self.agents = [key_pair(f"agent {i} of {self.market}") for i in range(6)]

    def send(self, command: Command, keys: KeyPair) -> bytes:
        """Sign and store a command; returns its id."""
        self.sequences[keys.public] = sequence = self.sequences.get(keys.public, 0) + 1
        genesis = NO_GENESIS if isinstance(command, c.OpenMarket) else self.genesis
        salt = struct.pack(">QQ", self.seed, len(self.records))
        sealed = seal(command, market=self.market, genesis=genesis, keys=keys, sequence=sequence, salt=salt)
        if isinstance(command, c.OpenMarket):
            self.genesis = sha256(sealed.value).digest()
        self.store(sealed.value, list(sealed.headers))
        return sealed.command_id

    def store(self, value: bytes | None, headers: Headers) -> None:
        """Store any bytes."""
        self.at_ms += self.random.randint(0, 12)
        self.records.append(StoredRecord(len(self.records), self.at_ms, self.market.encode(), value, headers))

    def open(self) -> None:
        """Genesis, pool, agents with credits."""
        before, newest = sorted(RULES)[-2:]
        self.send(c.OpenMarket(BANK.public, PARTITIONS, before, self.signed), OPERATOR)
        manager = self.send(c.OpenAccount("manager", "infra", "infra", MANAGER.public, bytes(32)), BANK)
        for i, keys in enumerate(self.agents):
            account = self.send(c.OpenAccount(f"agent-{i}", f"p{i % 2}", "root", keys.public, bytes(32)), BANK)
            self.send(c.IssueCredits(account, 5_000, "start"), BANK)
            self.accounts.append(account)
            if i == 1:
                self.send(c.SetWeight(account, 600), BANK)
        self.send(c.CreatePool("gpu", manager, 3), BANK)
        self.send(c.CreatePool("rack", manager, 64), BANK)
        for i in (1, 2):
            self.send(c.CreatePool(f"own-{i}", self.accounts[i], 2), BANK)
        open_tokens(self, manager)
        self.send(c.ActivateRules(newest), OPERATOR)
        self.send(budget(self.accounts[0], limit_ucr=300, offset_ms=None, warn_permille=1), BANK)
        self.send(budget(None, "p1", limit_ucr=500, allowance_ucr=701, decay_permille=100, cap_allowances=2), BANK)

    def step(self) -> None:
        """One more command."""
        kinds = (self.call, self.bid, self.bid, self.bid, self.bid, self.tick, self.odd)
        self.random.choice(kinds)()

    def call(self) -> None:
        """A CFP."""
        r = self.random
        pricing = r.choice((Pricing.SECOND, Pricing.SECOND, Pricing.FIRST))
        terms = (r.randint(1, 2), r.randint(100, 400), r.randint(1, 2), r.randint(50, 120), 10)
        self.cfps.append(self.send(c.CallForProposals(Direction.SELL, "gpu", *terms, pricing), MANAGER))

    def choose(self) -> None:
        """A CFP that its manager awards: bids, one refusal, and after the deadline some choices, or none."""
        r = self.random
        terms = (1, r.randint(100, 200), r.randint(1, 2), 60, 10, Pricing.FIRST, Awarder.MANAGER, r.choice((100, 500)))
        cfp = self.send(c.CallForProposals(Direction.SELL, "gpu", *terms), MANAGER)
        bidders = r.sample(self.agents, 4)
        bids = [
            self.send(c.PlaceBid(cfp, r.randint(5, 90), r.choice((0, 300)), "train", bytes(32), None), keys)
            for keys in bidders[1:]
        ]
        self.send(c.RefuseCfp(cfp, "no need"), bidders[0])
        self.at_ms += 60
        self.tick()
        for bid in r.sample(bids, r.randint(0, 3)):
            self.send(c.AwardBid(bid) if r.random() < 0.7 else c.RejectBid(bid), MANAGER)
        if r.random() < 0.2:
            self.send(c.CancelCfp(cfp), MANAGER)

    def bid_in_groups(self) -> None:
        """CFPs of both kinds that are open together, on all of which some bid in a group; then choices, if any."""
        r = self.random
        own = c.CallForProposals(Direction.SELL, "gpu", 1, 150, 1, 60, 10, Pricing.FIRST, Awarder.MANAGER, 300)
        soon, late = (c.CallForProposals(Direction.SELL, "gpu", 1, 100, 1, ms, 10, Pricing.SECOND) for ms in (60, 200))
        cfps = [self.send(command, MANAGER) for command in (soon, own, own, late)]
        bids: list[bytes] = []
        for number, keys in enumerate(r.sample(self.agents, 3)):
            group, wins_max = r.randbytes(16), 1 + number // 2
            for cfp in r.sample(cfps, 3):
                price_ucr = r.randint(8, 90)
                bids.append(self.send(c.PlaceBid(cfp, price_ucr, 0, "", bytes(32), None, group, wins_max), keys))
                if r.random() < 0.2:
                    self.send(c.WithdrawBid(bids[-1]), keys)
        for step_ms in (60, 140):
            self.at_ms += step_ms
            self.tick()
            for bid in r.sample(bids, 5):
                self.send(c.AwardBid(bid), MANAGER)

    def invite(self) -> None:
        """A CFP by invitation; one of those who answer is not invited."""
        r = self.random
        guests = r.sample(range(len(self.agents)), 4)
        invited = tuple(self.accounts[guest] for guest in guests[1:])
        terms = (1, r.randint(100, 200), 1, 60, 10, Pricing.SECOND, Awarder.AUTO, 0, invited)
        cfp = self.send(c.CallForProposals(Direction.SELL, "gpu", *terms), MANAGER)
        for guest in guests[:3]:
            self.send(c.PlaceBid(cfp, r.randint(5, 90), 0, "train", bytes(32), None), self.agents[guest])
        self.send(c.RefuseCfp(cfp, "no need"), self.agents[guests[3]])

    def bargain(self) -> None:
        """Somebody gets a lease and bargains over it with somebody else, up to a deal or not."""
        r = self.random
        cfp = self.send(c.CallForProposals(Direction.SELL, "rack", 1, 4_000, 1, 50, 10, Pricing.SECOND), MANAGER)
        holder, buyer = r.sample(range(len(self.agents)), 2)
        keys = (self.agents[holder], self.agents[buyer])
        lease = self.send(c.PlaceBid(cfp, 60, 0, "train", bytes(32), None), keys[0])
        self.at_ms += 50
        self.tick()
        protocol = r.choice((NegotiationProtocol.MONOTONIC, NegotiationProtocol.ALTERNATING))
        issues = r.choice(((), (Issue("when", ("now", "later")),)))
        talk = self.send(c.OpenNegotiation(lease, self.accounts[buyer], protocol, issues, 5, 400, 1), keys[0])
        if r.random() < 0.9:
            self.send(c.JoinNegotiation(talk, 100, "serve", bytes(32)), keys[1])
        prices = [110, 20]
        options = (0,) * len(issues)
        for round_ in range(1, r.randint(2, 7)):
            for side in (0, 1) if protocol is NegotiationProtocol.MONOTONIC else (1 - round_ % 2,):
                prices[side] += r.choice((0, 20, 40)) * (1 if side else -1)
                self.send(c.MakeOffer(talk, round_, options, max(1, prices[side])), keys[side])
            if r.random() < 0.2:
                self.send(c.AcceptOffer(talk, round_), keys[round_ % 2])
            if r.random() < 0.1:
                self.at_ms += 400
                self.tick()
        if r.random() < 0.2:
            self.send(r.choice((c.LeaveNegotiation(talk), c.ReleaseLease(lease))), keys[0])

    def buy(self) -> None:
        """A CFP that buys: asks, and after the deadline work that starts, ends, or times out."""
        r = self.random
        terms = {"slots": r.randint(1, 2), "duration_ms": 100, "grace_ms": r.choice((0, 50)), "open_ms": 60}
        chooses = r.random() < 0.4
        wanted = chosen(**terms, decide_ms=r.choice((100, 400))) if chooses else buying(**terms)
        cfp = self.send(wanted, self.agents[3])
        asks: list[tuple[bytes, KeyPair]] = []
        for i in r.sample((1, 2), r.randint(1, 2)):
            asked = self.send(ask(cfp, f"own-{i}", r.randint(20, 90), r.choice((0, 0, 40)), "render"), self.agents[i])
            asks.append((asked, self.agents[i]))
        self.at_ms += 60
        self.tick()
        for placed, _ in r.sample(asks, len(asks)) if chooses else ():
            self.send(c.AwardBid(placed) if r.random() < 0.8 else c.RejectBid(placed), self.agents[3])
        for award, keys in asks:
            for report in r.choice(((), (started,), (started, done), (started, done), (started, failed), (failed,))):
                self.send(report(award), keys)

    def bid(self) -> None:
        """A bid on a recent CFP; some come too late."""
        if not self.cfps:
            self.call()
        keys = self.random.choice(self.agents)
        price_ucr, delay_ms = self.random.randint(5, 200), self.random.choice((0, 0, 50))
        cfp = self.random.choice(self.cfps[-4:])
        bid = self.send(c.PlaceBid(cfp, price_ucr, delay_ms, "train", bytes(32), None), keys)
        self.bids.append((bid, keys))

    def tick(self) -> None:
        """The clock."""
        self.store(codec.encode(c.Tick()), [])

    def odd(self) -> None:
        """Something that happens less often."""
        what = self.random.randrange(23)
        if what == 0 and self.bids:
            self.send(c.WithdrawBid(self.bids[-1][0]), self.bids[-1][1])
        elif what == 1 and self.bids:
            bid, keys = self.random.choice(self.bids)
            self.send(c.ReleaseLease(bid), keys)
        elif what == 2 and self.cfps:
            self.send(c.CancelCfp(self.cfps[-1]), self.agents[0] if len(self.records) % 2 else MANAGER)
        elif what == 3:
            again = self.random.choice(self.records)
            self.store(again.value, again.headers)
        elif what == 4:
            again = self.random.choice(self.records)
            self.store(again.value, [(n, (v or b"")[::-1] if n == "sig" else v) for n, v in again.headers])
        elif what == 5:
            self.store(self.random.randbytes(12), [])
        elif what == 6:
            self.send(c.TransferCredits(self.random.choice(self.accounts), bytes(16), 5, ""), BANK)
            debit, credit = self.random.sample(self.accounts, 2)
            self.send(c.TransferCredits(debit, credit, 5, "moved"), BANK)
        elif what == 7:
            for _ in range(3):
                self.at_ms += self.random.choice((35_000, 70_000))
                self.tick()
        else:
            self.seldom(what)

    def seldom(self, what: int) -> None:
        """A longer story."""
        if what in (8, 9):
            self.choose()
        elif what in (10, 11):
            self.bid_in_groups()
        elif what in (12, 13):
            self.bargain()
        elif what == 14:
            sell_on(self)
        elif what in (15, 16):
            self.buy()
        elif what in (18, 19):
            self.invite()
        elif what in (20, 21):
            trade_tokens(self)
        elif what == 22:
            change_keys(self)
        else:
            self.random.choice((self.budget, self.policy, self.hoard))()

    def policy(self) -> None:
        """The operator sets a policy, or what managers deposit; the bank issues something."""
        r = self.random
        if r.random() < 0.5:
            self.deposit()
            return
        self.send(c.SetPolicy(r.choice((None, 90, 400)), 60_000, r.choice((0, 2))), self.operator)
        for _ in range(2):
            self.send(c.IssueCredits(r.choice(self.accounts), r.choice((30, 60)), ""), BANK)

    def deposit(self) -> None:
        """Managers deposit; a call that is taken back, or awarded after the pool was made smaller."""
        r = self.random
        floor_ucr = (0, 500_000)[len(self.records) % 2]
        self.send(c.SetDeposit(r.choice((0, 100_000, 1_000_000)), floor_ucr), self.operator)
        cfp = self.send(c.CallForProposals(Direction.SELL, "gpu", 2, 100, 2, 9_000, 10, Pricing.SECOND), MANAGER)
        for keys in r.sample(self.agents, 3):
            self.at_ms += 1_000
            self.send(c.PlaceBid(cfp, r.randint(8, 40), 0, "train", bytes(32), None), keys)
        self.send(r.choice((c.CancelCfp(cfp), c.ResizePool("gpu", 1))), MANAGER)
        self.at_ms += 9_000
        self.tick()
        self.send(c.ResizePool("gpu", 3), MANAGER)

    def hoard(self) -> None:
        """Credits decay that a bid holds."""
        hoard(self, MANAGER)

    def budget(self) -> None:
        """A budget is set, topped up, or ended."""
        r = self.random
        scope = r.choice([(r.choice(self.accounts), ""), (None, "p0"), (None, "p1"), (None, "later")])
        terms = {"limit_ucr": r.choice((None, 50, 400)), "allowance_ucr": r.choice((0, 100)), "warn_permille": 500}
        terms |= {"decay_permille": r.choice((0, 100)), "cap_allowances": r.choice((0, 3))}
        others = [budget(*scope, **terms), c.TopUpBudget(*scope, 30), c.TopUpBudget(*scope, 30), c.ClearBudget(*scope)]
        for command in (r.choice(others), r.choice(others)):
            self.send(command, BANK)


def traffic(partition: int, commands: int, seed: int = 0, *, signed: bool = True) -> list[StoredRecord]:
    """The commands of one partition's market."""
    made = Traffic(MARKETS[partition], seed, signed=signed)
    made.open()
    while len(made.records) < commands:
        made.step()
    return made.records[:commands]


def judged(commands: dict[int, list[StoredRecord]], snapshots_every: int = 40) -> Topics:
    """All topics after a referee and a snapshotter have seen these commands."""
    topics: Topics = {t.name: [[] for _ in range(PARTITIONS)] for t in (COMMANDS, LEDGER, NOTICES, SNAPSHOTS)}
    for partition, records in commands.items():
        topics[COMMANDS.name][partition] = list(records)
        _judge(topics, partition, records, snapshots_every)
    return topics


def _judge(topics: Topics, partition: int, records: Iterable[StoredRecord], snapshots_every: int) -> None:
    shard = Shard(partition, PARTITIONS, OPERATOR.public, is_proven, head=CHAIN_START)
    twin = Shard(partition, PARTITIONS, OPERATOR.public, is_proven, head=CHAIN_START)
    ledger, notices = topics[LEDGER.name][partition], topics[NOTICES.name][partition]
    holes = 0
    for number, record in enumerate(records):
        submission = open_record(*record)
        entries = shard.apply(submission)
        key = (submission.market or "").encode()
        for entry in entries:
            value, source = codec.encode(entry), entry.source
            shard.head = chain(shard.head, partition, source.offset, source.index, submission.digest, value)
            headers: Headers = [("chain", shard.head)]
            ledger.append(StoredRecord(len(ledger) + holes, source.at_ms, key, value, headers))
            twin.fold(submission.market or "", entry)
            twin.head = shard.head
            if len(ledger) % snapshots_every == 0:
                _snapshot(topics[SNAPSHOTS.name][partition], twin, len(ledger) // snapshots_every, ledger[-1].offset)
        for value in values_of(told(shard, submission.market, entries)) if entries else ():
            notices.append(StoredRecord(len(notices) + holes, entries[-1].source.at_ms, key, value, []))
        # The marker that ends a transaction takes an offset of its own.
        holes += number % COMMANDS_PER_TRANSACTION == 0


def _snapshot(records: list[StoredRecord], shard: Shard, number: int, ledger_offset: int) -> None:
    """As streams/snapshots.py writes it, in chunks small enough that there are several; compacted."""
    state = dump(shard)
    packed = zlib.compress(state, level=1)
    chunks = [packed[i : i + 600] for i in range(0, len(packed), 600)]
    generation = number % 2
    promised = sha256(state).hexdigest()
    manifest = Manifest(generation, number, len(chunks), ledger_offset, shard.head.hex(), max(RULES), promised)
    written = {f"{generation}/{i}": chunk for i, chunk in enumerate(chunks)}
    written[f"{generation}/manifest"] = json.dumps(asdict(manifest)).encode()
    offset = records[-1].offset + 1 if records else 0
    replaced = {key.encode() for key in written}
    records[:] = [record for record in records if record.key not in replaced]
    for i, (key, value) in enumerate(written.items()):
        records.append(StoredRecord(offset + i, START_MS + offset, key.encode(), value, []))


def published(topics: Topics, data_dir: Path) -> Path:
    """Project a ledger into a DuckDB file, as the projector does; returns the file."""
    settings = ProjectionSettings(bootstrap="none:1", data_dir=data_dir, seal_rows=40, seal_grace_offsets=20)
    layout = Layout(data_dir)
    layout.create()
    store = Store(layout, settings)
    for partition, records in enumerate(topics[LEDGER.name]):
        batch = [LedgerRecord(partition, r.offset, r.key, r.value, r.headers[0][1]) for r in records]
        for start in range(0, len(batch), 100):
            store.apply(batch[start : start + 100])
            store.seal_due()
    Publisher(store, settings).publish()
    store.close()
    return layout.published


def source_of(topics: Topics) -> MemorySource:
    """The topics as verify reads them."""
    return MemorySource(topics)
