"""Adversaries who want work done in somebody else's name, twice, or in another place."""

from __future__ import annotations

from collections.abc import Callable

from contractnet.envelope import Headers, Sealed
from contractnet.messages import Code
from contractnet.messages import commands as c
from contractnet.signing import signed_bytes
from faults.hostile.ground import DAY_MS, REPEATED, Ground, Shot, bid, encoded, words
from faults.world import PARTITIONS

ORDER = 2**252 + 27742317777372353535851937790883648493
"""Of the group of Ed25519: a signature's second half plus this is another signature that a careless check takes."""
SMALL = (bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f", b"\xff" * 32)
"""Keys of small order, for which some libraries find a signature right whatever the message is."""


def with_header(headers: Headers, name: str, value: bytes) -> Headers:
    """Headers with one value replaced."""
    return [(n, value if n == name else v) for n, v in headers]


class Forged:
    """Signatures that are not the key's own: of a stranger, moved, bent, of another content; and strangers' own."""

    name = "forged"

    def volley(self, ground: Ground) -> list[Shot]:
        """One of each."""
        rng, stranger, victim = ground.rng, ground.pair(), ground.rng.choice([*ground.agents, ground.bank])
        spoil = c.IssueCredits(ground.accounts[ground.mallory.public], 10**6, "mine")
        command = spoil if victim is ground.bank else c.WithdrawBid(rng.randbytes(16))
        right = ground.sealed(command, victim, sequence=rng.randrange(2**40, 2**41))
        parts = dict(right.headers)
        bent = int.from_bytes(parts["sig"][32:], "little") + ORDER
        own = ground.sealed(command, stranger)

        def changed(name: str, value: bytes) -> Sealed:
            return Sealed(right.market, right.command_id, right.value, with_header(right.headers, name, value))

        forged = [
            changed("sig", rng.randbytes(64)),
            changed("sig", bytes(64)),
            changed("sig", parts["sig"][:32] + bent.to_bytes(32, "little")),
            changed("sig", stranger.sign(signed_bytes(ground.genesis, ground.name, *_claimed(parts), right.value))),
            changed("sig", dict(own.headers)["sig"]),
            changed("key", stranger.public),
            changed("key", rng.choice(SMALL)),
            changed("seq", rng.randrange(2**62).to_bytes(8, "big")),
            changed("salt", rng.randbytes(16)),
            Sealed(right.market, right.command_id, encoded(c.WithdrawBid(rng.randbytes(16))), right.headers),
        ]
        shots = [ground.shot_of(sealed, Code.BAD_SIGNATURE) for sealed in forged]
        return [*shots, ground.shot_of(own, Code.UNKNOWN_KEY)]


def _claimed(parts: dict[str, bytes]) -> tuple[bytes, bytes, int]:
    return parts["key"], parts["salt"], int.from_bytes(parts["seq"], "big", signed=True)


class Replayed:
    """What honest members have sent, sent again: at once, and long after."""

    name = "replayed"

    def volley(self, ground: Ground) -> list[Shot]:
        """Some of the newest, some of the oldest known."""
        seen = list(ground.history)
        picked = [*seen[-6:], *(ground.rng.choice(seen) for _ in range(4))]
        return [ground.shot_of(sealed, REPEATED, Code.STALE_SEQUENCE) for sealed in picked]


class CrossMarket:
    """What was signed for one market, sent to another one where the same keys are members; and geneses moved."""

    name = "cross_market"

    def volley(self, ground: Ground) -> list[Shot]:
        """To and fro between neighbours, to a market that nobody opened, and to one of another partition."""
        other = ground.neighbour
        assert other is not None
        theirs = ground.rng.choice([s for s in other.history if s.value])
        foreign = other.sealed(c.WithdrawBid(ground.rng.randbytes(16)), ground.mallory)
        usurper = ground.sealed(c.OpenMarket(ground.mallory.public, PARTITIONS, 1, False), ground.mallory)
        nobody = f"nobody-{ground.rng.randrange(10**9)}"
        moved = ground.sealed(c.OpenMarket(ground.mallory.public, PARTITIONS, 1, True), ground.mallory, market=nobody)
        away = words(Code.WRONG_PARTITION, Code.UNKNOWN_MARKET)
        opened = words(Code.WRONG_PARTITION, Code.UNTRUSTED_OPERATOR)
        return [
            ground.shot_of(theirs, Code.BAD_SIGNATURE),
            ground.shot_of(foreign, Code.BAD_SIGNATURE),
            ground.shot_of(usurper, Code.MARKET_EXISTS),
            Shot(nobody.encode(), theirs.value, theirs.headers, away),
            Shot(nobody.encode(), moved.value, moved.headers, opened),
        ]


class CrossTopic:
    """Values of `ledger`, `notices` and `snapshots` as commands: bare, with stolen headers, and signed."""

    name = "cross_topic"

    def volley(self, ground: Ground) -> list[Shot]:
        """Each value in each dress."""
        shots: list[Shot] = []
        for _ in range(4):
            value = ground.rng.choice(ground.results)
            stolen = ground.rng.choice(ground.history).headers
            key = ground.name.encode()
            shots += [
                Shot(key, value, [], words(Code.UNREADABLE)),
                Shot(key, value, stolen, words(Code.UNREADABLE)),
                ground.bytes_of(value, ground.mallory, Code.UNREADABLE),
                ground.bytes_of(value, ground.pair(), Code.UNKNOWN_KEY),
            ]
        return shots


class Stripped:
    """Headers taken away, doubled, renamed, emptied, cut, or those of another command."""

    name = "headers"

    def volley(self, ground: Ground) -> list[Shot]:
        """A true command of an honest member that the market has not seen, in torn clothes."""
        rng, victim = ground.rng, ground.rng.choice(ground.agents)
        right = ground.sealed(c.WithdrawBid(rng.randbytes(16)), victim, sequence=rng.randrange(2**40, 2**41))
        other = ground.sealed(c.WithdrawBid(rng.randbytes(16)), victim, sequence=rng.randrange(2**41, 2**42))
        name, value = rng.choice(right.headers)
        rest = [h for h in right.headers if h[0] != name]
        missing: list[Headers] = [
            [],
            rest,
            [*right.headers, (name, value)],
            [*right.headers, ("extra", b"")],
            [*rest, (name.upper(), value)],
            [*rest, (name, b"")],
            [*rest, (name, value[:-1])],
            [*rest, (name, value + b"\0")],
            [*right.headers, *((f"h{n}", rng.randbytes(8)) for n in range(50))],
        ]
        swapped = [
            with_header(right.headers, n, dict(other.headers)[n]) for n in ("seq", "salt", "sig")
        ]  # fmt: skip
        key = ground.name.encode()
        shots = [Shot(key, right.value, headers, words(Code.MISSING_SIGNATURE)) for headers in missing]
        return [*shots, *(Shot(key, right.value, headers, words(Code.BAD_SIGNATURE)) for headers in swapped)]


class IdInUse:
    """Ids, sequences and keys that are taken already."""

    name = "id_in_use"

    def volley(self, ground: Ground) -> list[Shot]:
        """The insider's own sequences twice, the lowest there is, the same id for another command, others' keys."""
        rng, mallory = ground.rng, ground.mallory
        account, salt = ground.accounts[mallory.public], rng.randbytes(16)
        first = ground.sealed(c.WithdrawBid(rng.randbytes(16)), mallory, salt=salt)
        sequence = int.from_bytes(dict(first.headers)["seq"], "big")

        def again(salt: bytes | None, sequence: int = sequence) -> Sealed:
            return ground.sealed(c.RotateKey(ground.pair().public), mallory, sequence=sequence, salt=salt)

        taken = rng.choice([*(k.public for k in ground.agents), ground.bank.public, ground.operator.public])
        return [
            ground.shot_of(first, Code.UNKNOWN_BID),
            ground.shot_of(again(salt), REPEATED),
            ground.shot_of(again(None), Code.STALE_SEQUENCE),
            ground.shot_of(again(None, -(2**63)), Code.STALE_SEQUENCE),
            ground.shot(c.RegisterKey(account, taken), mallory, Code.KEY_TAKEN),
            ground.shot(c.RotateKey(taken), mallory, Code.KEY_TAKEN),
        ]


class Usurped:
    """An insider with a right signature who commands what is the bank's, the operator's or somebody else's."""

    name = "usurped"

    def volley(self, ground: Ground) -> list[Shot]:
        """Everything that needs another's authority."""
        rng, mallory, agent = ground.rng, ground.mallory, ground.rng.choice(ground.agents)
        mine, theirs, key = ground.accounts[mallory.public], ground.accounts[agent.public], ground.pair().public
        called, cfp = ground.honest(ground.calling("gpu", DAY_MS), ground.manager)
        placed, offer = ground.honest(bid(cfp, 50), agent)
        closed, _ = ground.honest(c.CancelCfp(cfp), ground.manager)
        permitted: list[Callable[[], c.Command]] = [
            lambda: c.IssueCredits(mine, 10**6, ""),
            lambda: c.TransferCredits(theirs, mine, 10**6, ""),
            lambda: c.OpenAccount(f"m{rng.randrange(10**9)}", "p", "p", key, bytes(32)),
            lambda: c.CreatePool(f"m{rng.randrange(10**9)}", mine, 1),
            lambda: c.SetWeight(mine, 1000),
            lambda: c.ActivateRules(1),
        ]
        owned: list[c.Command] = [
            c.RegisterKey(theirs, key),
            c.RevokeKey(theirs, agent.public),
            c.ResizePool("gpu", 1),
            ground.calling("gpu", 1000),
            c.CancelCfp(cfp),
            c.WithdrawBid(offer),
        ]
        shots = [called, placed]
        shots += [ground.shot(make(), mallory, Code.NOT_PERMITTED) for make in permitted]
        shots += [ground.shot(command, mallory, Code.NOT_OWNER) for command in owned]
        return [*shots, closed, ground.shot(bid(cfp, 60), mallory, Code.CFP_CLOSED)]
