"""Adversaries who found an old key."""

from __future__ import annotations

from contractnet.messages import Code
from contractnet.messages import commands as c
from contractnet.messages.commands import Command
from contractnet.signing import KeyPair
from faults.hostile.ground import ACCEPTED, Ground, Shot, bid

LIVES_MS = 5_000
"""How long a key lives that expires: longer than it takes to be stored."""
EACH = 2


class Revoked:
    """Commands signed by keys that were revoked, rotated away or have expired, of the kinds that would do most harm: a
    member's, the bank's, the operator's."""

    name = "revoked"

    def __init__(self) -> None:
        self._members: list[KeyPair] = []
        self._bank: list[KeyPair] = []
        self._operator: list[KeyPair] = []
        self._expire_at_ms = 0
        self._of_bank = b""
        """The bank's account."""

    def volley(self, ground: Ground) -> list[Shot]:
        """The keys come to their ends in the first volley: an account has a bounded number of them, for ever."""
        if not self._members:
            self._of_bank = ground.accounts[ground.bank.public]
            return [*self._retired(ground), *self._rotated(ground), *self._expiring(ground)]
        if (left_ms := self._expire_at_ms - ground.clock_ms()) > -LIVES_MS:
            ground.pass_ms(left_ms + LIVES_MS)
        rng = ground.rng
        account = ground.accounts[ground.mallory.public]
        tries = (
            c.WithdrawBid(rng.randbytes(16)),
            c.RegisterKey(account, ground.pair().public),
            c.RotateKey(ground.pair().public),
            bid(rng.randbytes(16), 10),
        )
        shots = [ground.shot(x, keys, Code.REVOKED_KEY) for x in tries for keys in rng.sample(self._members, 3)]
        made_up = rng.randrange(-(2**62), 2**62)
        late = ground.sealed(tries[0], rng.choice(self._members), sequence=made_up)
        shots.append(ground.shot_of(late, Code.REVOKED_KEY))
        for keys, commands in ((self._bank, self._of_the_bank), (self._operator, self._of_the_operator)):
            shots += [ground.shot(x, rng.choice(keys), Code.REVOKED_KEY) for x in commands(ground, account)]
        return shots

    def _retired(self, ground: Ground) -> list[Shot]:
        """Registered and revoked: by their holder, and the bank's by itself."""
        shots: list[Shot] = []
        mallory, bank = ground.mallory, ground.bank
        own = ground.accounts[mallory.public]
        for owner, account, ended in ((mallory, own, self._members), (bank, self._of_bank, self._bank)):
            for _ in range(EACH):
                keys = ground.pair()
                ended.append(keys)
                made, gone = c.RegisterKey(account, keys.public), c.RevokeKey(account, keys.public)
                shots += [ground.shot(x, owner, ACCEPTED, hostile=False) for x in (made, gone)]
        return shots

    def _rotated(self, ground: Ground) -> list[Shot]:
        """Each rotated away by itself, as its last word. The market's bank and operator go on with the newest."""
        shots: list[Shot] = []

        def rotated(keys: KeyPair) -> KeyPair:
            new = ground.pair()
            shots.append(ground.shot(c.RotateKey(new.public), keys, ACCEPTED, hostile=False))
            return new

        account = ground.accounts[ground.mallory.public]
        keys = ground.pair()
        shots.append(ground.shot(c.RegisterKey(account, keys.public), ground.mallory, ACCEPTED, hostile=False))
        for _ in range(EACH):
            self._members.append(keys)
            keys = rotated(keys)
            self._bank.append(ground.bank)
            ground.bank = rotated(ground.bank)
            self._operator.append(ground.operator)
            ground.operator = rotated(ground.operator)
        return shots

    def _expiring(self, ground: Ground) -> list[Shot]:
        """Registered, and rotated to, with an end that is near."""
        self._expire_at_ms = ends_at_ms = ground.clock_ms() + LIVES_MS
        own = ground.accounts[ground.mallory.public]
        shots: list[Shot] = []
        for owner, of, ended in (
            (ground.mallory, own, self._members),
            (ground.bank, self._of_bank, self._bank),
        ):
            first, second, third = (ground.pair() for _ in range(3))
            steps: tuple[tuple[Command, KeyPair], ...] = (
                (c.RegisterKey(of, first.public, ends_at_ms), owner),
                (c.RegisterKey(of, second.public), owner),
                (c.RotateKey(third.public, ends_at_ms), second),
            )
            ended += [first, second, third]
            shots += [ground.shot(command, keys, ACCEPTED, hostile=False) for command, keys in steps]
        return shots

    def _of_the_bank(self, ground: Ground, account: bytes) -> list[Command]:
        name = f"m{ground.rng.randrange(10**9)}"
        return [
            c.IssueCredits(account, 10**6, "mine"),
            c.OpenAccount(name, "p", "p", ground.pair().public, bytes(32)),
            c.RegisterKey(self._of_bank, ground.pair().public),
            c.RotateKey(ground.pair().public),
        ]

    def _of_the_operator(self, ground: Ground, account: bytes) -> list[Command]:
        return [
            c.SetPriority(account, True),
            c.RegisterKey(self._of_bank, ground.pair().public),
            c.RotateKey(ground.pair().public),
        ]
