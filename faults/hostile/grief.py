"""Adversaries within the rules: they spend what they have not, hold up what others want, and flood."""

from __future__ import annotations

from dataclasses import replace

from contractnet.envelope import seal_tick
from contractnet.messages import Code
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from faults.hostile.ground import ACCEPTED, CREDITS, DAY_MS, HONEST, REPEATED, Ground, Shot, bid, words
from faults.hostile.honest import negotiation

RACE = 6
FLOOD = 50


class Overspend:
    """More bids at once than the balance is good for, of two keys of one account: however they race, as many stand as
    it can pay, and never one more."""

    name = "overspend"

    def __init__(self) -> None:
        self._second: KeyPair | None = None
        self._races = 0

    def volley(self, ground: Ground) -> list[Shot]:
        """Calls of an accomplice, and a bid on each. Then the accomplice cancels, and all is as before."""
        rng, fence, mallory = ground.rng, ground.fence, ground.mallory
        shots: list[Shot] = []
        if self._second is None:
            self._second = ground.pair()
            added = c.RegisterKey(ground.accounts[mallory.public], self._second.public)
            shots.append(ground.shot(added, mallory, ACCEPTED, hostile=False))
        cfps = []
        for _ in range(RACE):
            sealed = ground.sealed(ground.calling("bait", DAY_MS), fence)
            cfps.append(sealed.command_id)
            shots.append(ground.shot_of(sealed, ACCEPTED, hostile=False))
        self._races += 1
        ground.races[self._races] = wins = rng.randrange(1, RACE // 2 + 1)
        price = rng.randrange(CREDITS // (wins + 1) + 1, CREDITS // wins + 1)
        bids = [
            ground.shot(bid(cfp, price), keys, ACCEPTED, Code.INSUFFICIENT_CREDIT)
            for cfp, keys in zip(cfps, (mallory, self._second) * (RACE // 2), strict=True)
        ]
        rng.shuffle(bids)
        shots += [replace(shot, race=self._races) for shot in bids]
        return [*shots, *(ground.shot(c.CancelCfp(cfp), fence, ACCEPTED, hostile=False) for cfp in cfps)]


class HoldGriefing:
    """Bid high, withdraw; and an accomplice who calls, collects bids and cancels. Legal, and it costs the griefer:
    its hold stands until the call ends, so that it cannot bid the same credits anywhere else."""

    name = "hold_griefing"

    def volley(self, ground: Ground) -> list[Shot]:
        """The griefer's credits are all held; its next bid finds nothing, nor does a second withdrawal."""
        mallory, fence = ground.mallory, ground.fence
        called, cfp = ground.honest(ground.calling("gpu", DAY_MS), ground.manager)
        other, second = ground.honest(ground.calling("gpu", DAY_MS), ground.manager)
        high = ground.sealed(bid(cfp, CREDITS), mallory)
        leave = c.WithdrawBid(high.command_id)
        shots = [called, other, ground.shot_of(high, ACCEPTED), ground.shot(leave, mallory, ACCEPTED)]
        shots.append(ground.shot(bid(second, 10), mallory, Code.INSUFFICIENT_CREDIT))
        shots.append(ground.shot(leave, mallory, Code.UNKNOWN_BID))
        shots += [ground.honest(bid(cfp, 100 + n), keys)[0] for n, keys in enumerate(ground.agents)]
        bait = ground.sealed(ground.calling("bait", DAY_MS), fence)
        shots.append(ground.shot_of(bait, ACCEPTED))
        # What an honest bidder had held for the bait is free again at once: the whole of its credits can be bid.
        agent, spare = ground.agents[0], CREDITS // 10
        shots.append(ground.honest(bid(bait.command_id, spare), agent)[0])
        shots.append(ground.shot(c.CancelCfp(bait.command_id), fence, ACCEPTED))
        shots.append(ground.honest(bid(second, spare), agent)[0])
        shots += [ground.honest(c.CancelCfp(x), ground.manager)[0] for x in (cfp, second)]
        return [*shots, *negotiation(ground, griefed=True)]


class Crowding:
    """One account that bids next to nothing, withdraws, and bids again, to fill a call's book against all others."""

    name = "crowding"
    ROUNDS = 12

    def volley(self, ground: Ground) -> list[Shot]:
        """The first few are within the rules; then the account has had its share of this call."""
        from market.limits import BIDS_PER_ACCOUNT_AND_CFP_MAX

        called, cfp = ground.honest(ground.calling("gpu", DAY_MS), ground.manager)
        shots = [called]
        for n in range(self.ROUNDS):
            offer = ground.sealed(bid(cfp, 1), ground.mallory)
            fits = n < BIDS_PER_ACCOUNT_AND_CFP_MAX
            shots.append(ground.shot_of(offer, ACCEPTED if fits else Code.LIMIT_REACHED))
            left = ACCEPTED if fits else Code.UNKNOWN_BID
            shots.append(ground.shot(c.WithdrawBid(offer.command_id), ground.mallory, left))
        shots += [ground.honest(bid(cfp, 100 + n), keys)[0] for n, keys in enumerate(ground.agents)]
        return [*shots, ground.honest(c.CancelCfp(cfp), ground.manager)[0]]


class Flood:
    """Fifty records of rubbish for every honest one: bytes, repeats, wrong signatures, and the clock's own command."""

    name = "flood"

    def volley(self, ground: Ground) -> list[Shot]:
        """A negotiation, each of whose commands comes after its fifty. It is all the honest trade that there is."""
        # First what an eavesdropper has seen by now, then what honest members will say.
        before = [self._rubbish(ground) for _ in range(1 + HONEST)]
        return [
            shot for rubbish, honest in zip(before, negotiation(ground), strict=True) for shot in (*rubbish, honest)
        ]

    @staticmethod
    def _rubbish(ground: Ground) -> list[Shot]:
        """Each is cheap to send and cheap to answer. A tick that sets nothing off has no answer at all."""
        rng, key = ground.rng, ground.name.encode()
        tick = seal_tick(ground.name)
        shots: list[Shot] = []
        for _ in range(FLOOD // 5):
            old = rng.choice(ground.history)
            wrong = [(n, rng.randbytes(64) if n == "sig" else v) for n, v in old.headers]
            shots += [
                Shot(key, rng.randbytes(rng.randrange(1, 200)), [], words(Code.UNREADABLE)),
                Shot(key, old.value, wrong, words(Code.BAD_SIGNATURE)),
                ground.shot_of(old, REPEATED, Code.STALE_SEQUENCE),
                Shot(key, old.value, [], words(Code.MISSING_SIGNATURE)),
                Shot(key, tick.value, [], words("")),
            ]
        return shots
