"""Who sends commands: a bank, a manager, four agents, and people who get things wrong. One dice draws it all."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from functools import lru_cache
from typing import Any

from contractnet.envelope import Sealed, seal
from contractnet.messages import Awarder, Claim, Command, Issue, Pricing, Priority
from contractnet.messages import commands as c
from contractnet.signing import NO_GENESIS, KeyPair
from market.rules import RULES
from tests.market.buyers import ask, buying, done, failed, started
from tests.market.cases_negotiations import ALTERNATING, MONOTONIC, SUE, TOM, WHEN, joined, negotiation
from tests.market.cases_resales import claim
from tests.market.stages import CASE_IDS
from tests.market.test_rules import CASES
from tests.market.town import (
    BANK,
    INBOX_KEY,
    MANAGER,
    NAME,
    OPERATOR,
    PARTITIONS,
    UNKNOWN_ID,
    bid,
    call,
    key_pair,
    managed,
)
from tests.simulation.books import Books
from tests.simulation.budget_crowd import budget_command, decaying
from tests.simulation.letters import Letter, Unsigned
from tests.simulation.token_crowd import token_command

AGENTS = ("ann", "bob", "cat", "dan")
LEASES_MS = (*5 * (100, 400, 1_000, 4_000, 9_000), 1_200_000)
"""One in so many outlives a claim that waits as long as it may."""
LATER = "gpu-us-east"
"""A market of the same partition that nobody opens."""

pair_of = lru_cache(maxsize=4096)(key_pair)


class Crowd:
    """Draws the next letters, looking at the books as agents look at notices."""

    def __init__(self, dice: random.Random, books: Books, *, signed: bool) -> None:
        self.dice, self.books, self.signed = dice, books, signed
        self.pairs = {p.public: p for p in (BANK, MANAGER, OPERATOR, *map(pair_of, AGENTS))}
        self.sequences: dict[bytes, int] = {}
        self.cfps, self.bids = list[bytes](), list[bytes]()
        self.keys_made, self.genesis, self.talk = 0, NO_GENESIS, UNKNOWN_ID

    def founding(self) -> list[Letter]:
        """A market with a manager's pool, and agents with credits."""
        # Some markets begin with the first rules and are switched later, on the way.
        rules = 1 if self.signed else max(RULES)
        letters = [self.seal(c.OpenMarket(BANK.public, PARTITIONS, rules, self.signed), OPERATOR)]
        self.genesis = hashlib.sha256(letters[0].value or b"").digest()
        manager = self.open_account("manager", MANAGER)
        letters.append(manager)
        for name in AGENTS:
            account = self.open_account(name, pair_of(name))
            assert account.id is not None
            letters += [account, self.seal(c.IssueCredits(account.id, self.dice.randrange(100, 2_000), ""), BANK)]
        assert manager.id is not None
        units = self.dice.randrange(1, 5)
        pools = [("gpu", manager.id), *((name, letter.id) for name, letter in zip(AGENTS, letters[2::2], strict=True))]
        letters += [self.seal(c.CreatePool(name, owner or b"", units), BANK) for name, owner in pools]
        if rules > 1 and self.dice.random() < 0.5:
            letters.append(self.seal(c.IssueCredits(manager.id, 500, ""), BANK))
            letters.append(self.seal(c.SetDeposit(10**6), OPERATOR))
            letters.append(self.seal(c.SetResaleCall(300), OPERATOR))
        if self.dice.random() < 0.5:
            letters.append(self.seal(decaying(self.dice), BANK))
        return letters

    def open_account(self, name: str, keys: KeyPair) -> Letter:
        """The bank opens an account."""
        root = "root" if name in ("ann", "bob") else f"root of {name}"
        return self.seal(c.OpenAccount(name, "project", root, keys.public, INBOX_KEY), BANK)

    def seal(
        self,
        command: Command,
        keys: KeyPair,
        *,
        market: str = NAME,
        genesis: bytes | None = None,
        sequence: int | None = None,
    ) -> Letter:
        """Seal a command, with a real signature where somebody will look at it."""
        opening = isinstance(command, c.OpenMarket)
        if not (self.signed or opening):
            keys = Unsigned(keys.seed, keys.public)
        if sequence is None:
            sequence = self.sequences[keys.public] = self.sequences.get(keys.public, 0) + 1
        genesis = genesis or (NO_GENESIS if opening else self.genesis)
        salt = self.dice.randbytes(16)
        sealed: Sealed = seal(command, market=market, genesis=genesis, keys=keys, sequence=sequence, salt=salt)
        ours = sealed.command_id if market == NAME else None
        return Letter(market.encode(), sealed.value, list(sealed.headers), ours)

    def keys_of(self, name: str) -> KeyPair:
        """A live key of an account, as far as the books know; the first one otherwise."""
        account = self.books.names.get(name)
        live = [k for k, owner in self.books.keys.items() if owner == account and k in self.pairs]
        first = {"bank": BANK, "manager": MANAGER, "operator": OPERATOR}.get(name) or pair_of(name)
        return self.pairs[live[-1]] if live and account is not None else first

    def account(self, name: str) -> bytes:
        """Id of an account."""
        return self.books.names.get(name, UNKNOWN_ID)

    def act(self) -> list[Letter]:
        """What somebody does next."""
        roll = self.dice.random()
        if roll < 0.52:
            return [self._bid()] if self.books.auctions and roll > 0.12 else self._auction()
        if roll < 0.74:
            return self._bargain(self.dice.choice(AGENTS)) if self.dice.random() < 0.25 else [self._usual()]
        if roll < 0.93:
            return [self._mistake()]
        return [self._noise()]

    def _auction(self) -> list[Letter]:
        """A CFP and bids on it, sent at once: some may overtake it."""
        terms = {
            "units": self.dice.choice((1, 1, 1, 2)),
            "slots": self.dice.choice((1, 1, 2, 3)),
            "duration_ms": self.dice.choice(LEASES_MS),
            "open_ms": self.dice.choice((50, 100, 300, 1_000)),
        }
        wanted = call(**terms, pricing=self.dice.choice((Pricing.SECOND, Pricing.SECOND, Pricing.FIRST)))
        if self.dice.random() < 0.3:
            wanted = managed(**terms, decide_ms=self.dice.choice((100, 500, 2_000)))
        if self.dice.random() < 0.15:
            guests = self.dice.sample(AGENTS, self.dice.randrange(1, len(AGENTS)))
            wanted = replace(wanted, invited=tuple(map(self.account, guests)))
        called = self.seal(wanted, self.keys_of("manager"))
        assert called.id is not None
        self.cfps.append(called.id)
        names = self.dice.sample(AGENTS, self.dice.randrange(0, 4))
        return [called, *(self._bid(called.id, name) for name in names)]

    def _bid(self, cfp: bytes | None = None, name: str | None = None) -> Letter:
        ident = cfp or self.dice.choice(list(self.books.auctions))
        price = self.dice.choice((self.dice.randrange(5, 60), self.dice.randrange(5, 60), self.dice.randrange(5, 900)))
        # On a third of all calls prices are round, so that there are ties.
        price = max(10, price - price % 10) if ident[0] % 3 == 0 else price
        delay = self.dice.choice((0, 0, 0, 100, 500))
        claim = Claim(Priority.HIGH, self.books.now_ms + 1_000, 5) if self.dice.random() < 0.2 else None
        # All that an agent bids for a while, now and then: one group, of which one or two may win. Seldom it errs.
        number = self.books.now_ms // 2_000
        group = number.to_bytes(16, "big") if self.books.rules >= 6 and self.dice.random() < 0.4 else None
        wins_max = 0 if group is None else 1 + number % 2 + (self.dice.random() < 0.05)
        made = c.PlaceBid(ident, price, delay, "task", bytes(32), claim, group, wins_max)
        letter = self.seal(made, self.keys_of(name or self.dice.choice(AGENTS)))
        assert letter.id is not None
        self.bids.append(letter.id)
        return letter

    def _usual(self) -> Letter:
        """The rest of what a market does."""
        dice, books = self.dice, self.books
        who = dice.choice(AGENTS)
        kind = dice.randrange(28)
        if kind > 21:
            command, sender = token_command(dice, books, who)
            return self.seal(command, self.keys_of(sender))
        if kind > 16:
            return self._work(who)
        if kind > 11:
            return self._decision(who)
        if kind == 0 and self.bids:
            ident = dice.choice(self.bids[-8:])
            owner = next((b.account for a in books.auctions.values() for b in a.bids.values() if b.bid == ident), b"")
            return self.seal(c.WithdrawBid(ident), self.keys_of(self._name(owner) or who))
        if kind in (1, 2) and books.leases:
            lease = dice.choice(list(books.leases.values()))
            return self.seal(c.ReleaseLease(lease.award), self.keys_of(self._name(lease.account) or who))
        if kind == 3 and self.cfps:
            return self.seal(c.CancelCfp(dice.choice(self.cfps[-4:])), self.keys_of("manager"))
        if kind == 4:
            return self.seal(c.ResizePool("gpu", dice.randrange(1, 5)), self.keys_of(dice.choice(("bank", "manager"))))
        if kind == 5:
            return self.seal(c.SetWeight(self.account(who), dice.choice((500, 700, 1_000))), self.keys_of("bank"))
        if kind == 6:
            return self._key_change(who)
        if kind == 7:
            other = dice.choice(AGENTS)
            moved = c.TransferCredits(self.account(who), self.account(other), dice.randrange(1, 200), "")
            return self.seal(moved, self.keys_of("bank"))
        if kind in (8, 9):
            command, sender = budget_command(dice, self.account(who))
            return self.seal(command, self.keys_of(sender))
        payee = self.account(dice.choice((who, who, "manager")))
        return self.seal(c.IssueCredits(payee, dice.randrange(100, 900), ""), self.keys_of("bank"))

    def _work(self, who: str) -> Letter:
        """Work starts or ends; a CFP that buys; an ask. Versions before the sixth know none of them."""
        dice, books = self.dice, self.books
        if books.works and dice.random() < 0.6:
            award, work = dice.choice(list(books.works.items()))
            report = dice.choice((started, started, done, done, failed))
            return self.seal(report(award), self.keys_of(self._name(work.award.account) or who))
        buying_now = [cfp for cfp in books.auctions if cfp in books.terms]
        if buying_now and dice.random() < 0.7:
            made = ask(dice.choice(buying_now), who, dice.randrange(5, 60), dice.choice((0, 0, 100)))
            letter = self.seal(made, self.keys_of(who))
            assert letter.id is not None
            self.bids.append(letter.id)
            return letter
        terms = {"slots": dice.randrange(1, 3), "duration_ms": dice.choice((100, 400))}
        terms |= {"open_ms": dice.choice((100, 1_000)), "bond_ucr": dice.choice((5, 5, 5, 51))}
        wanted = buying(**terms, reserve_price_ucr=50, grace_ms=dice.choice((0, 300)))
        if books.rules >= 7 and dice.random() < 0.4:
            choice: dict[str, Any] = {"award": Awarder.MANAGER, "decide_ms": dice.choice((100, 500, 2_000))}
            wanted = replace(wanted, pricing=Pricing.FIRST, **choice)
        called = self.seal(wanted, self.keys_of("ann"))
        assert called.id is not None
        self.cfps.append(called.id)
        return called

    def _decision(self, who: str) -> Letter:
        """A manager's choice among the bids it was shown, or an agent's refusal. Versions before the fifth know
        neither."""
        dice, books = self.dice, self.books
        shown = [(bid, x.opened.manager) for x in books.auctions.values() if x.until_ms for bid in x.bids]
        if shown and dice.random() < 0.8:
            chosen, manager = dice.choice(shown)
            decide = dice.choice((c.AwardBid, c.AwardBid, c.RejectBid))
            return self.seal(decide(chosen), self.keys_of(self._name(manager) or "manager"))
        return self.seal(c.RefuseCfp(dice.choice(self.cfps or [UNKNOWN_ID]), "no need"), self.keys_of(who))

    def _bargain(self, who: str) -> list[Letter]:
        """A holder asks somebody to bargain, with the first moves of both sent at once; or a later move. Versions
        before the sixth know neither."""
        dice, books = self.dice, self.books
        if books.leases and (not books.talks or dice.random() < 0.3):
            lease = max(
                books.leases.values(), key=lambda x: (x.ends_at_ms if dice.random() < 0.5 else 0, dice.random())
            )
            terms: dict[str, Any] = {
                "protocol": dice.choice((MONOTONIC, MONOTONIC, ALTERNATING)),
                "issues": dice.choice(((), (WHEN,))),
            }
            terms |= {"rounds_max": dice.randrange(2, 6), "round_ms": dice.choice((200, 2_000, 9_000))}
            keys = [self.keys_of(self._name(lease.account) or who), self.keys_of(who)]
            asks, cap_ucr = self.books.rules >= 9 and dice.random() < 0.4, dice.randrange(40, 90)
            if unanswered := asks and dice.random() < 0.3:
                terms["round_ms"] = dice.choice((200, 2_000, 900_000))
            wanted = (
                claim(lease.award, cap_ucr, **terms) if asks else negotiation(lease.award, self.account(who), **terms)
            )
            made = self.seal(wanted, keys[asks])
            assert made.id is not None
            if unanswered:
                return [made]
            rest = [self.seal(joined(made.id, 0 if asks else cap_ucr, "task"), keys[not asks])]
            if dice.random() < 0.4:
                # Both want one thing at one price.
                same = c.MakeOffer(made.id, 1, (0,) * len(terms["issues"]), 40)
                last = same if terms["protocol"] is MONOTONIC else c.AcceptOffer(made.id, 1)
                return [made, *rest, self.seal(same, keys[0]), self.seal(last, keys[1])]
            return [made, *rest, *(self._move(made.id, 1, terms["issues"], keys, side) for side in (0, 1))]
        if not books.talks:
            return [self.seal(c.LeaveNegotiation(dice.choice(books.ended_talks or [UNKNOWN_ID])), self.keys_of(who))]
        ident, talk = dice.choice(list(books.talks.items()))
        parties = (talk.opened.holder, talk.opened.counterpart)
        keys = [self.keys_of(self._name(account) or who) for account in parties]
        roll = dice.random()
        if roll < 0.03:
            return [self.seal(c.LeaveNegotiation(ident), dice.choice(keys))]
        if roll < 0.2:
            return [self.seal(c.AcceptOffer(ident, talk.round - 1), keys[1 - talk.round % 2])]
        return [self._move(ident, max(1, talk.round), talk.opened.issues, keys, dice.randrange(2))]

    def _move(self, talk: bytes, round_: int, issues: tuple[Issue, ...], keys: list[KeyPair], side: int) -> Letter:
        """A party's offer, nearer to the other's in each round, or not; seldom of somebody else's or of no use."""
        dice = self.dice
        steps = round_ * dice.choice((0, 5, 10, 10))
        price = (20 + steps) if side else max(1, 80 - steps)
        options = tuple(dice.randrange(len(issue.options) + (dice.random() < 0.05)) for issue in issues)
        signer = self.keys_of(dice.choice(AGENTS)) if dice.random() < 0.05 else keys[side]
        return self.seal(c.MakeOffer(talk, round_, options, price), signer)

    def _name(self, account: bytes) -> str | None:
        return next((name for name, ident in self.books.names.items() if ident == account), None)

    def _key_change(self, who: str) -> Letter:
        self.keys_made += 1
        made = pair_of(f"{who} {self.keys_made}")
        self.pairs[made.public] = made
        kind = self.dice.randrange(13)
        # Versions before the third know no end of a key, and answer UNKNOWN_RULES.
        ends_at_ms = self.books.now_ms + self.dice.randrange(1, 20_000) if self.dice.random() < 0.3 else None
        if kind == 0:
            return self.seal(c.RotateKey(made.public), OPERATOR)
        if kind < 5:
            return self.seal(c.RotateKey(made.public, ends_at_ms), self.keys_of(who))
        if kind < 9:
            return self.seal(c.RegisterKey(self.account(who), made.public, ends_at_ms), self.keys_of(who))
        live = [k for k, owner in self.books.keys.items() if owner == self.account(who)] or [made.public]
        return self.seal(c.RevokeKey(self.account(who), self.dice.choice(live)), self.keys_of(who))

    def _mistake(self) -> Letter:
        """A command that breaks a rule: those of tests/market/test_rules.py, on what there is by now."""
        kind = self.dice.randrange(14)
        if kind == 0:
            return self.seal(c.ActivateRules(max(RULES)), OPERATOR)
        if kind == 1:
            number = self.dice.randrange(12)
            self.pairs[pair_of(f"extra {number}").public] = pair_of(f"extra {number}")
            return self.open_account(f"extra {number}", pair_of(f"extra {number}"))
        if kind == 2:
            return self.seal(c.CreatePool(f"pool {self.dice.randrange(6)}", self.account("ann"), 1), BANK)
        if kind == 3:
            stale = self.sequences.get(BANK.public, 1)
            return self.seal(c.WithdrawBid(UNKNOWN_ID), BANK, sequence=self.dice.choice((-(2**63), stale, 1)))
        if kind == 4:
            return self.seal(bid(UNKNOWN_ID, 1), pair_of(self.dice.choice((*AGENTS, "stranger"))))
        if kind == 5:
            cfp, claim = next(iter(self.books.auctions), UNKNOWN_ID), Claim(Priority.UNSPECIFIED, 0, 0)
            return self.seal(c.PlaceBid(cfp, 20, 0, "", bytes(32), claim), self.keys_of("ann"))
        _, _, sender, command = self.dice.choice(CASES)
        ids = {name: self.account(name) for name in ("bank", "manager", *AGENTS)}
        ids |= dict.fromkeys(CASE_IDS, UNKNOWN_ID)
        ids["cfp"] = ids["quiet"] = ids["full"] = self.dice.choice(list(self.books.auctions) or [UNKNOWN_ID])
        ids["resale"] = self.dice.choice(list(self.books.resales) or [UNKNOWN_ID])
        ids["ended"] = next(reversed(self.books.ended), UNKNOWN_ID)
        ids["lease"] = self.dice.choice(list(self.books.leases) or [UNKNOWN_ID])
        ids["early"] = ids["chosen"] = ids["low"] = self.dice.choice(self.bids or [UNKNOWN_ID])
        ids["bid"] = self.dice.choice(self.bids or [UNKNOWN_ID])
        if sender in (SUE, TOM):
            return self.seal(command(ids | self._talk_ids()), self.keys_of(self._party(sender)))
        named = next((n for n in ("bank", "manager", *AGENTS, "operator") if self._first(n) == sender.public), None)
        return self.seal(command(ids), sender if named is None else self.keys_of(named))

    def _talk_ids(self) -> dict[str, bytes]:
        """A negotiation that goes on, as the cases name it."""
        talks = self.books.talks
        self.talk = self.dice.choice(list(talks) or [UNKNOWN_ID])
        ids = dict.fromkeys(("mono", "turns", "asked"), self.talk)
        ids["claim"] = self.dice.choice([i for i in talks if i in self.books.claims] or [self.talk])
        ids["sold"] = ids["wished"] = self.dice.choice(list(self.books.resales.values()) or [UNKNOWN_ID])
        ids["over"] = (self.books.ended_talks or [UNKNOWN_ID])[-1]
        opened = talks[self.talk].opened if self.talk in talks else None
        lease = self.dice.choice(list(self.books.leases.values())) if self.books.leases else None
        ids["taken"] = ids["spare"] = lease.award if lease else UNKNOWN_ID
        ids["sue"] = lease.account if lease else UNKNOWN_ID
        if opened is not None:
            ids |= {"tom": opened.counterpart, "taken": opened.award}
            if lease is None or lease.account != opened.holder:
                ids |= {"spare": opened.award, "sue": opened.holder}
        return ids

    def _party(self, sender: KeyPair) -> str:
        """Who plays sue or tom in the negotiation that was chosen last."""
        talk = self.books.talks.get(self.talk)
        lease = next(iter(self.books.leases.values()), None)
        if talk is None:
            return (self._name(lease.account) if lease and sender == SUE else None) or "ann"
        return self._name(talk.opened.holder if sender == SUE else talk.opened.counterpart) or "ann"

    @staticmethod
    def _first(name: str) -> bytes:
        return {"bank": BANK, "manager": MANAGER, "operator": OPERATOR}.get(name, pair_of(name)).public

    def _noise(self) -> Letter:
        """Records that never reach the rules."""
        good = self.seal(c.WithdrawBid(UNKNOWN_ID), self.keys_of("ann"))
        kind = self.dice.randrange(10)
        if kind == 0:
            return Letter(good.key, self.dice.randbytes(self.dice.randrange(30)), [], None)
        if kind == 1:
            return Letter(good.key, b"garbage", good.headers, None)
        if kind == 2:
            return Letter(self.dice.choice((b"\xff", b"", None)), good.value, good.headers, None)
        if kind in (3, 4):
            return Letter((b"gpu-eu-west", LATER.encode())[kind - 3], good.value, good.headers, None)
        if kind == 5:
            return Letter(good.key, good.value, good.headers[1:], None)
        if kind == 6:
            forged = self.seal(c.WithdrawBid(UNKNOWN_ID), self.keys_of("bob"), genesis=b"\x07" * 32)
            return Letter(forged.key, forged.value, forged.headers, None)
        genesis, keys = self.dice.choice(
            (
                (c.OpenMarket(BANK.public, 5, 1, True), OPERATOR),
                (c.OpenMarket(BANK.public, PARTITIONS, 99, True), OPERATOR),
                (c.OpenMarket(OPERATOR.public, PARTITIONS, 1, True), OPERATOR),
                (c.OpenMarket(BANK.public, PARTITIONS, 1, True), BANK),
            )
        )
        return self.seal(genesis, keys, market=LATER)
