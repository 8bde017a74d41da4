"""What an agent decides by itself: what a slot is worth, what to bid, what to claim, and how to bargain.

Pure functions and small objects on the standard library: no Kafka, no clock, no I/O. Floats are fine here, since
nothing is settled with them; every price that leaves is an integer of micro-credits. docs/strategies.md has the
units. Bargaining is in `contractnet.strategies.bargaining`.
"""

from __future__ import annotations

from contractnet.strategies.bidding import BiddingStrategy, Call, Outcome, Paced, Pacer, Truthful
from contractnet.strategies.calibration import Calibrator
from contractnet.strategies.demand import Demand, Need, Price
from contractnet.strategies.floor import FloorShare
from contractnet.strategies.inviting import TwoHalves
from contractnet.strategies.reserve import OpportunityReserve, PricedOffer, threshold_ucr
from contractnet.strategies.shading import WinningPrices, uniform_first_price_ucr
from contractnet.strategies.utility import (
    PRIORITY_WEIGHTS,
    amdahl,
    marginal_gain_ucr,
    paced_ucr,
    should_stop,
    urgency,
    utility,
    worth_ucr,
)

__all__ = [
    "PRIORITY_WEIGHTS",
    "BiddingStrategy",
    "Calibrator",
    "Call",
    "Demand",
    "FloorShare",
    "Need",
    "OpportunityReserve",
    "Outcome",
    "Paced",
    "Pacer",
    "Price",
    "PricedOffer",
    "Truthful",
    "TwoHalves",
    "WinningPrices",
    "amdahl",
    "marginal_gain_ucr",
    "paced_ucr",
    "should_stop",
    "threshold_ucr",
    "uniform_first_price_ucr",
    "urgency",
    "utility",
    "worth_ucr",
]
