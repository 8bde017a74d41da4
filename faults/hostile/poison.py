"""An adversary whose texts are code to SQL, HTML, spreadsheets, shells, templates and terminal markup, in every field
that takes a text."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle

from contractnet.messages import Code, Issue, NegotiationProtocol, Progress
from contractnet.messages import commands as c
from contractnet.messages.commands import Command
from contractnet.messages.names import MEMO_BYTES_MAX, NAME_BYTES_MAX
from contractnet.messages.partition import partition_of
from contractnet.signing import KeyPair
from faults.hostile.absurd import POISON
from faults.hostile.deals import LEASE_MS, buying
from faults.hostile.ground import ACCEPTED, DAY_MS, Ground, Shot, bid, words
from faults.world import PARTITIONS
from market import limits

Step = tuple[Command, KeyPair]

TOKEN_TERMS = (60_000, 10_000, 0, limits.TOKEN_INTERVAL_MS_MAX, 0, 60_000)
FIELDS = (
    ("markets", "market"),
    ("accounts", "name"),
    ("accounts", "project"),
    ("accounts", "budget_root"),
    ("budgets", "project"),
    ("pools", "pool"),
    ("token_pools", "pool"),
    ("transfers", "memo"),
    ("cfps", "pool"),
    ("bids", "task"),
    ("bids", "pool"),
    ("refusals", "reason"),
    ("works", "result"),
    ("negotiations", "task"),
    ("token_orders", "task"),
    ("token_grants", "task"),
    ("token_usage", "task"),
)
"""Tables of the published ledger, and their columns, in which each poison stands as it is. So does it in the issues of
`negotiations`."""


class Poison:
    """The bank and the operator give such names, which somebody asked for; the insider and its accomplice write such
    texts. All are legal, and stored as they are: whoever shows them has to treat them as text."""

    name = "poison"

    def __init__(self) -> None:
        self._texts = cycle(POISON)
        self._named: set[str] = set()
        self._lease: bytes | None = None
        self._work: bytes | None = None
        """Won in the volley before."""

    def volley(self, ground: Ground) -> list[Shot]:
        """One text in every field. What it names is named once; a second one of that name is refused."""
        text = next(self._texts)
        bank, mallory, fence = ground.bank, ground.mallory, ground.fence
        fits = Code.NAME_TAKEN if text in self._named else ACCEPTED
        owner = ground.accounts[fence.public]
        shots = [] if self._named else [ground.shot(c.SetPriority(owner, True), ground.operator, ACCEPTED)]
        shots += [
            ground.shot(c.OpenAccount(text, text, text, ground.pair().public, ground.rng.randbytes(32)), bank, fits),
            ground.shot(c.CreatePool(text, owner, 10_000), bank, fits),
            ground.shot(c.CreateTokenPool(text, ground.accounts[ground.manager.public], *TOKEN_TERMS), bank, fits),
            self._market(ground, text, Code.MARKET_EXISTS if text in self._named else ACCEPTED),
        ]
        self._named.add(text)
        shots += [ground.shot(command, keys, ACCEPTED) for command, keys in self._books(ground, text)]
        shots += self._told(ground, text)
        shots += self._tokens(ground, text)
        shots += self._refused(ground, text)
        called, cfp = ground.honest(ground.calling("gpu", DAY_MS), ground.manager)
        shots += [called, ground.shot(c.RefuseCfp(cfp, text), mallory, ACCEPTED)]
        return [*shots, ground.honest(c.CancelCfp(cfp), ground.manager)[0], *self._won(ground, text)]

    @staticmethod
    def _market(ground: Ground, text: str, *expected: Code | str) -> Shot:
        """A genesis of that name; with a number behind it where the name alone belongs to another partition."""
        names = (text, *(f"{text} {n}" for n in range(1, 1000)))
        name = next(x for x in names if partition_of(x, PARTITIONS) == ground.partition)
        genesis = c.OpenMarket(ground.pair().public, PARTITIONS, limits.DEPOSITS_RULES_VERSION, True)
        sealed = ground.sealed(genesis, ground.operator, market=name)
        return Shot(name.encode(), sealed.value, sealed.headers, words(*expected))

    @staticmethod
    def _books(ground: Ground, text: str) -> list[Step]:
        """Memos of what is issued and moved, and a project's budget for as long as it takes."""
        bank, mine, theirs = ground.bank, ground.accounts[ground.mallory.public], ground.accounts[ground.fence.public]
        memo = (text * MEMO_BYTES_MAX)[:MEMO_BYTES_MAX]
        return [
            (c.IssueCredits(mine, 2, text), bank),
            (c.TransferCredits(mine, theirs, 1, text), bank),
            (c.TransferCredits(mine, theirs, 1, memo), bank),
            (c.SetBudget(None, text, None, 0, limits.BUDGET_WINDOW_MS_MAX, None, 0, 0, 800), bank),
            (c.ClearBudget(None, text), bank),
        ]

    def _told(self, ground: Ground, text: str) -> list[Shot]:
        """Of the work and the lease won before: what was done, and over what two bargain. They may be over by now."""
        mallory, fence = ground.mallory, ground.fence
        if self._work is None or self._lease is None:
            return []
        gone = (Code.UNKNOWN_LEASE, Code.OUT_OF_SEQUENCE)
        shots = [
            ground.shot(c.ReportWork(self._work, step, text), fence, ACCEPTED, *gone)
            for step in (Progress.STARTED, Progress.DONE)
        ]
        issues = (Issue(text, (text, "b")),)
        terms = (ground.accounts[fence.public], NegotiationProtocol.MONOTONIC, issues, 4, 1_000, 1)
        opened = ground.sealed(c.OpenNegotiation(self._lease, *terms), mallory)
        over = (Code.UNKNOWN_NEGOTIATION, Code.NEGOTIATION_CLOSED)
        shots.append(ground.shot_of(opened, ACCEPTED, Code.UNKNOWN_LEASE))
        joined = c.JoinNegotiation(opened.command_id, 10, text, bytes(32))
        left = c.LeaveNegotiation(opened.command_id)
        return [*shots, *(ground.shot(step, fence, ACCEPTED, *over) for step in (joined, left))]

    @staticmethod
    def _tokens(ground: Ground, text: str) -> list[Shot]:
        """An order, and a draw that is reported, of the pool of that name."""
        order = ground.sealed(c.PlaceStandingOrder(text, 10, 10, text, DAY_MS), ground.mallory)
        drawn = ground.sealed(c.DrawTokens(text, 1, text), ground.fence)
        none = (Code.NO_TOKENS, Code.UNKNOWN_GRANT)
        return [
            ground.shot_of(order, ACCEPTED),
            ground.shot(c.CancelStandingOrder(order.command_id), ground.mallory, ACCEPTED),
            ground.shot_of(drawn, ACCEPTED, *none),
            ground.shot(c.ReportUsage(drawn.command_id, 1, 1, 0, text), ground.fence, ACCEPTED, *none),
        ]

    @staticmethod
    def _refused(ground: Ground, text: str) -> list[Shot]:
        """Where the rules do not take it: what nobody has named so, and what is too long."""
        mallory, bank, strange = ground.mallory, ground.bank, f"{text}?"
        long, endless = text.ljust(NAME_BYTES_MAX + 1, "x"), text.ljust(MEMO_BYTES_MAX + 1, "x")
        mine = ground.accounts[mallory.public]
        wrong: list[tuple[Command, KeyPair, Code]] = [
            (replace(ground.calling("bait", 1_000), pool=strange), ground.fence, Code.UNKNOWN_POOL),
            (c.ResizePool(strange, 1), ground.fence, Code.UNKNOWN_POOL),
            (c.ResizePool(text, 1), mallory, Code.NOT_OWNER),
            (c.TopUpBudget(None, strange, 1), bank, Code.UNKNOWN_BUDGET),
            (c.CreatePool(long, mine, 1), bank, Code.BAD_NAME),
            (c.OpenAccount(long, text, text, ground.pair().public, bytes(32)), bank, Code.BAD_NAME),
            (c.IssueCredits(mine, 1, endless), bank, Code.BAD_NAME),
        ]
        away = Shot(strange.encode(), b"", [], words(Code.UNREADABLE))
        return [*(ground.shot(command, keys, code) for command, keys, code in wrong), away]

    def _won(self, ground: Ground, text: str) -> list[Shot]:
        """The accomplice's pool of that name sells to the insider, and works for it."""
        mallory, fence = ground.mallory, ground.fence
        selling = replace(ground.calling(text, ground.open_ms), duration_ms=LEASE_MS)
        sold = ground.sealed(selling, fence)
        own = ground.sealed(bid(sold.command_id, 20, text), mallory)
        wanted = ground.sealed(replace(buying(ground.open_ms), pool=text), mallory)
        ask = ground.sealed(c.PlaceAsk(wanted.command_id, text, 500, 100, text, bytes(32)), fence)
        self._lease, self._work = own.command_id, ask.command_id
        return [ground.shot_of(sealed, ACCEPTED) for sealed in (sold, own, wanted, ask)]
