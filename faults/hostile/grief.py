"""Adversaries within the rules: they spend what they have not, hold up what others want, and flood."""

from __future__ import annotations

from contractnet.envelope import seal_tick
from contractnet.messages import Code
from contractnet.messages import commands as c
from faults.hostile.ground import ACCEPTED, CREDITS, DAY_MS, REPEATED, Ground, Shot, bid, words
from faults.hostile.honest import negotiation

RACE = 6
FLOOD = 50


class Overspend:
    """Several bids above the balance at once, on calls of an accomplice: one of them may stand, however they race."""

    name = "overspend"

    def volley(self, ground: Ground) -> list[Shot]:
        """The first takes more than half; no other fits. Then the accomplice cancels, and all is as before."""
        rng, fence, mallory = ground.rng, ground.fence, ground.mallory
        price = rng.randrange(CREDITS // 2 + 1, CREDITS)
        shots, cfps = [], []
        for _ in range(RACE):
            sealed = ground.sealed(ground.calling("bait", DAY_MS), fence)
            cfps.append(sealed.command_id)
            shots.append(ground.shot_of(sealed, ACCEPTED, hostile=False))
        shots.append(ground.shot(bid(cfps[0], price), mallory, ACCEPTED, hostile=False))
        over = rng.randrange(CREDITS - price + 1, CREDITS + 1)
        shots += [ground.shot(bid(cfp, over), mallory, Code.INSUFFICIENT_CREDIT) for cfp in cfps[1:]]
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
        agent = rng.choice(ground.agents)
        return [*shots, ground.honest(c.WithdrawBid(rng.randbytes(16)), agent, Code.UNKNOWN_BID)[0]]
