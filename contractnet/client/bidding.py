"""A bidding strategy of contractnet.strategies, or one's own, on the calls of a market."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from contractnet.client.cfp import Cfp
from contractnet.client.connection import TIMEOUT_S
from contractnet.client.groups import BidGroup
from contractnet.client.lease import Award
from contractnet.errors import CommandUnsendableError, RejectedError
from contractnet.messages import Claim
from contractnet.strategies import BiddingStrategy, Calibrator, Outcome

if TYPE_CHECKING:
    from contractnet.client.agent import Agent


WORTH_TIMES_MAX = 2


class Bidder:
    """Bids what a strategy says, and tells it what became of each call. Any object with the two methods of
    `BiddingStrategy` will do. Calls that are open at the same time may be bid on in tasks, one each.

    With a `calibrator` the points of a claim are the agent's own estimate: what is claimed, and the worth, are what
    such estimates have delivered, by what `delivered` was told.
    """

    def __init__(self, agent: Agent, strategy: BiddingStrategy, calibrator: Calibrator | None = None) -> None:
        self._agent = agent
        self._strategy = strategy
        self._calibrator = calibrator
        self._estimates: dict[bytes, int] = {}

    async def bid(
        self,
        cfp: Cfp,
        worth_ucr: int,
        *,
        task: str = "",
        claim: Claim | None = None,
        start_delay_s: float = 0.0,
        group: BidGroup | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Award | None:
        """What was won of a call in which a slot is worth `worth_ucr` micro-credits, or None, once the call has ended;
        it waits for that also where the strategy does not bid.

        Raises as `Agent.bid` does. Where there is no bid then (RejectedError, CommandUnsendableError), the strategy is
        told so first. Where nobody knows (OutcomeTimeoutError, a lost connection, a cancelled task) it is told nothing,
        and what it has set aside stays so: the bid may still win.
        """
        estimate = None
        if claim is not None and self._calibrator is not None:
            estimate = claim.expected_value_points
            worth_ucr, claim = calibrated(self._calibrator, worth_ucr, claim)
        price_ucr = self._strategy.price_ucr(cfp, worth_ucr)
        award = None
        if price_ucr is not None:
            try:
                bid = await self._agent.bid(
                    cfp,
                    price_ucr,
                    task=task,
                    claim=claim,
                    start_delay_s=start_delay_s,
                    group=group,
                    timeout_s=timeout_s,
                )
            except (RejectedError, CommandUnsendableError):
                self._strategy.observe(Outcome(cfp.pricing, price_ucr, 0, None))
                raise
            award = await bid.outcome()
        settled = await cfp.outcome()
        winning_ucr = max((winner.price_ucr for winner in settled.winners), default=None)
        self._strategy.observe(Outcome(cfp.pricing, price_ucr, award.price_ucr if award else 0, winning_ucr))
        if award is not None and estimate is not None:
            self._estimates[award.id] = estimate
        return award

    def delivered(self, award: Award, points: float) -> None:
        """Tell the calibrator what came of a win that it had estimated, in points; once for each."""
        estimate = self._estimates.pop(award.id, None)
        if estimate is not None and self._calibrator is not None:
            self._calibrator.learn(estimate, points)


def calibrated(calibrator: Calibrator, worth_ucr: int, claim: Claim) -> tuple[int, Claim]:
    """A worth and a claim of work with an estimate, as of work that delivers what such estimates have delivered.

    The worth is at most doubled: the line that is fitted says of the smallest estimates, of which it has seen few, that
    they deliver many times as much.
    """
    estimate = claim.expected_value_points
    expected = calibrator.calibrated(estimate)
    if estimate > 0:
        worth_ucr = math.floor(worth_ucr * min(Fraction(expected) / estimate, Fraction(WORTH_TIMES_MAX)))
    return worth_ucr, replace(claim, expected_value_points=calibrator.claim_points(estimate))
