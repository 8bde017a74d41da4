"""Bugs planted by hand in what agents decide with: see planted.py."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FOLDER = "contractnet/strategies"
ZEUTHEN, ALTERNATING = f"{FOLDER}/bargaining/zeuthen.py", f"{FOLDER}/bargaining/alternating.py"
BIDDING, CALIBRATION = f"{FOLDER}/bidding.py", f"{FOLDER}/calibration.py"
CONCESSIONS = ("tests/strategies/test_monotonic.py", "tests/strategies/test_nash.py")
OFFERS, BIDS = ("tests/strategies/test_alternating.py",), ("tests/strategies/test_bidding.py",)

STRATEGY_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "Zeuthen concedes below the other's offer",
        ZEUTHEN,
        "            if self._own_gains[candidate] < floor:\n                break\n",
        "            if self._own_gains[candidate] < floor - 10**9:\n                break\n",
        "rule 1: no concession to what is worse for oneself than the other's offer",
        CONCESSIONS,
    ),
    Mutant(
        "Zeuthen concedes all at once",
        ZEUTHEN,
        "        for place in range(self._places[own] + 1, len(self._order)):\n",
        "        for place in reversed(range(self._places[own] + 1, len(self._order))):\n",
        "rule 2: of those that just suffice the one that is best for oneself",
        CONCESSIONS,
    ),
    Mutant(
        "Zeuthen stands still on equal risk",
        ZEUTHEN,
        "        if self._domain.product(own) > threshold:\n",
        "        if self._domain.product(own) >= threshold:\n",
        "rule 3: on equal risk both concede",
        CONCESSIONS,
    ),
    Mutant(
        "a concession that shifts no risk suffices",
        ZEUTHEN,
        "            if self._domain.product(candidate) > threshold:\n",
        "            if self._domain.product(candidate) >= threshold:\n",
        "both walk on without an end, or past the greatest product",
        CONCESSIONS,
    ),
    Mutant(
        "the last round's proposer leaves something",
        ALTERNATING,
        "    return (1 - others) * series + odd * left\n",
        "    return (1 - others) * series + odd * left * others\n",
        "Ståhl's finite game",
        OFFERS,
    ),
    Mutant(
        "the discounts are exchanged",
        ALTERNATING,
        "        return (1 - others) / (1 - both)\n",
        "        return (1 - own) / (1 - both)\n",
        "Rubinstein's infinite game",
        OFFERS,
    ),
    Mutant(
        "a paced agent bids its worth",
        BIDDING,
        "        worth_ucr = paced_ucr(worth_ucr, self.pacer.pace)\n",
        "        worth_ucr = paced_ucr(worth_ucr, 1.0)\n",
        "the budget is spent in the first calls",
        BIDS,
    ),
    Mutant(
        "more is bid than is left",
        BIDDING,
        "        price_ucr = min(price_ucr, self.pacer.left_ucr)\n",
        "        price_ucr = max(1, price_ucr)\n",
        "bids that are open at once spend more than the budget",
        BIDS,
    ),
    Mutant(
        "what a call cost moves no pace",
        BIDDING,
        "        moved = self.pace - self._step * (target_ucr - paid_ucr) / self._highest_ucr\n",
        "        moved = self.pace - self._step * (target_ucr - target_ucr) / self._highest_ucr\n",
        "the pace never rises",
        BIDS,
    ),
    Mutant(
        "a calibrator learns from claims",
        CALIBRATION,
        "        surplus = delivered - estimate\n",
        "        surplus = delivered - self.calibrated(estimate)\n",
        "half of the winner's curse stays",
        ("tests/strategies/test_calibration.py",),
    ),
)
