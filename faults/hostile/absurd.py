"""Adversaries with a right signature and a content that nobody means: numbers, texts, bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from contractnet.messages import Claim, Code, Priority
from contractnet.messages import commands as c
from contractnet.messages.commands import Command
from faults.handmade import varint
from faults.hostile.ground import ACCEPTED, CREDITS, DAY_MS, Ground, Shot, bid, encoded, words
from market import limits

LONG_MAX, LONG_MIN = 2**63 - 1, -(2**63)

BAD_TEXTS = (
    "a\0b",
    "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07",
    "\x9b31m",
    "a\rb",
    "line\nbreak",
    "a\u202eb",
    "\u2066x\u2069",
    "a\u200bb",
    "\ufeffbom",
    "e\u0301",
    "\u00a0",
    "x" * 10_000,
    "\U000e0041",
    "\ue000",
    "\x7f",
)
"""Texts that reach no terminal, SQL or page: control, bidirectional, invisible, not NFC, private, too long."""

POISON = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "'; DROP TABLE awards; --",
    '" OR 1=1 --',
    "[bold red]x[/]",
    "[link=http://x]y[/link]",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd",
    "{{7*7}} ${7*7} #{7*7}",
    "$(reboot) `reboot`",
    "%s%s%s%n",
    "\\x1b[31m",
    "${jndi:ldap://x/a}",
    "-rf",
    "&lt;b&gt;",
)
"""Legal names: printable all of them. Whoever shows or stores them has to treat them as text."""

PATHS = (
    "../../etc/passwd",
    "..",
    ".",
    "/etc/shadow",
    "~/.ssh/id_rsa",
    "a/b",
    "..\\..\\x",
    "C:\\x",
    "CON",
    "%2e%2e%2f",
    "file:///etc/passwd",
    "-o",
    "x.json",
    "x" * 64,
)


class AbsurdAmounts:
    """Numbers at and beyond every limit."""

    name = "absurd_amounts"

    def volley(self, ground: Ground) -> list[Shot]:
        """Prices, delays, reserves, units, slots and durations; each with the code of its field."""
        rng, mallory, fence = ground.rng, ground.mallory, ground.fence
        sealed = ground.sealed(ground.calling("bait", DAY_MS), fence)
        cfp, usual = sealed.command_id, ground.calling("bait", 1000)
        absurd = (0, -1, LONG_MIN, LONG_MAX, -rng.randrange(1, 2**62), limits.AMOUNT_UCR_MAX + rng.randrange(1, 10**9))
        shots = [ground.shot_of(sealed, ACCEPTED, hostile=False)]
        shots += [ground.shot(bid(cfp, price), mallory, Code.BAD_AMOUNT) for price in absurd]
        above = rng.randrange(CREDITS + 1, limits.AMOUNT_UCR_MAX)
        shots.append(ground.shot(bid(cfp, above), mallory, Code.INSUFFICIENT_CREDIT))
        late = rng.choice((-1, LONG_MIN, LONG_MAX, limits.START_DELAY_MS_MAX + 1))
        shots.append(ground.shot(bid(cfp, 10, delay_ms=late), mallory, Code.BAD_DURATION))
        vague = replace(bid(cfp, 10), claim=Claim(Priority.UNSPECIFIED, LONG_MIN, LONG_MAX))
        shots.append(ground.shot(vague, mallory, Code.UNKNOWN_VALUE))
        wrong: tuple[tuple[dict[str, Any], Code], ...] = (
            ({"reserve_price_ucr": rng.choice((0, -1, LONG_MAX))}, Code.BAD_AMOUNT),
            ({"units": rng.choice((0, -1, -(2**31), 2**31 - 1))}, Code.BAD_UNITS),
            ({"units": limits.UNITS_MAX}, Code.UNITS_EXCEED_POOL),
            ({"slots": rng.choice((0, -1, limits.SLOTS_MAX + 1, 2**31 - 1))}, Code.BAD_UNITS),
            ({"duration_ms": rng.choice((0, -1, LONG_MAX, limits.LEASE_MS_MAX + 1))}, Code.BAD_DURATION),
            ({"open_ms": rng.choice((0, -1, LONG_MAX, limits.CFP_OPEN_MS_MAX + 1))}, Code.BAD_DURATION),
        )
        shots += [ground.shot(replace(usual, **change), fence, code) for change, code in wrong]
        shots.append(ground.shot(c.ResizePool("bait", rng.choice((0, -1, 2**31 - 1))), fence, Code.BAD_UNITS))
        return [*shots, ground.shot(c.CancelCfp(cfp), fence, ACCEPTED, hostile=False)]


class AbsurdNames:
    """Texts that must not get into the ledger, in every field that has one; and markets of such names."""

    name = "absurd_names"

    def volley(self, ground: Ground) -> list[Shot]:
        """Also from the bank itself, which may have been given them by somebody."""
        rng, mallory = ground.rng, ground.mallory
        sealed = ground.sealed(ground.calling("bait", DAY_MS), ground.fence)
        account = ground.accounts[mallory.public]
        shots = [ground.shot_of(sealed, ACCEPTED, hostile=False)]
        for text in rng.sample(BAD_TEXTS, 3):
            key = text.encode()
            made = c.OpenAccount("n", "p", "r", ground.pair().public, bytes(32))
            change: dict[str, Any] = {rng.choice(("name", "project", "budget_root")): text}
            pool = replace(ground.calling("gpu", 1000), pool=text)
            away = words(Code.BAD_MARKET_NAME)
            shots += [
                ground.shot(bid(sealed.command_id, 10, text), mallory, Code.BAD_NAME),
                ground.shot(pool, mallory, Code.UNKNOWN_POOL),
                ground.shot(c.ResizePool(text, 1), mallory, Code.UNKNOWN_POOL),
                ground.shot(replace(made, **change), ground.bank, Code.BAD_NAME),
                ground.shot(c.CreatePool(text, account, 1), ground.bank, Code.BAD_NAME),
                ground.shot(c.IssueCredits(account, 1, text), ground.bank, Code.BAD_NAME),
                Shot(key, sealed.value, sealed.headers, away),
                Shot(rng.choice((b"\xff\xfe", b"\xed\xa0\x80", None, b"")), sealed.value, sealed.headers, away),
            ]
        return [*shots, ground.shot(c.CancelCfp(sealed.command_id), ground.fence, ACCEPTED, hostile=False)]


class Paths:
    """Texts that mean something to a file system."""

    name = "paths"

    def volley(self, ground: Ground) -> list[Shot]:
        """As pools, markets, accounts and tasks."""
        rng, fence = ground.rng, ground.fence
        text = rng.choice(PATHS)
        made = c.OpenAccount(text, text, text, ground.pair().public, bytes(32))
        stolen = rng.choice(ground.history)
        return [
            ground.shot(replace(ground.calling("bait", 1000), pool=text), fence, Code.UNKNOWN_POOL),
            ground.shot(c.ResizePool(text, 1), fence, Code.UNKNOWN_POOL),
            ground.shot(made, ground.mallory, Code.NOT_PERMITTED),
            ground.shot(c.CreatePool(text, ground.accounts[fence.public], 1), fence, Code.NOT_PERMITTED),
            ground.shot(bid(rng.randbytes(16), 10, text), ground.mallory, Code.UNKNOWN_CFP),
            Shot(text.encode(), stolen.value, stolen.headers, words(Code.UNKNOWN_MARKET, Code.WRONG_PARTITION)),
        ]


class Bombs:
    """Bytes that promise more than there is, or are more than anybody reads; signed, so that all of it is looked at."""

    name = "bombs"

    def volley(self, ground: Ground) -> list[Shot]:
        """Lengths of gigabytes, negative ones, endless numbers, unions out of range, cut, repeated and huge values."""
        rng, keys = ground.rng, ground.mallory
        offers: list[Command] = [
            bid(rng.randbytes(16), 10, "task"),
            c.OpenAccount("n", "p", "r", rng.randbytes(32), bytes(32)),
            c.IssueCredits(bytes(16), 5, "memo"),
        ]
        good = encoded(rng.choice(offers))
        head, task = good[:10], encoded(offers[0])
        at = task.index(b"\x08task")
        gigabytes = varint(rng.choice((2**31 - 1, 2**32, 2**40, 2**62, LONG_MAX)))
        bad = [
            task[:at] + gigabytes + task[at + 1 :],
            task[:at] + varint(-rng.randrange(1, 2**62)) + task[at + 1 :],
            task[:26] + b"\xff" * rng.randrange(10, 2000) + b"\x01",
            task[:-2] + varint(rng.choice((2, 2**31, 2**62, -1))),  # its group is null or bytes
            good[: rng.randrange(10, len(good))],
            good + good,
            good + bytes(rng.randrange(1, 60_000)),
            bytes(64 * 1024 + 1),
            rng.choice((b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")) + bytes(100),
            b"[" * rng.randrange(10_000, 50_000),
            b'{"a":' * rng.randrange(1000, 10_000),
        ]
        # These are a command now and then, of nothing that exists.
        nothing = (Code.UNREADABLE, Code.NOT_PERMITTED, Code.UNKNOWN_CFP)
        odd = (head + rng.randbytes(rng.randrange(17, 3000)), head + gigabytes + b"x" * rng.randrange(100))
        noise = [ground.bytes_of(value, keys, *nothing) for value in odd]
        return [*(ground.bytes_of(value, keys, Code.UNREADABLE) for value in bad), *noise]
