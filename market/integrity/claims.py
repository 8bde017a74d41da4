"""Claimed against attested value: does an agent deliver, on average, what it says a task is worth to it?

The null hypothesis, for each task that counts: given all that was known at the award, the claim and what became of the
pool meanwhile, E[min(attested / claimed, e + 1)] >= e = (1 - tolerance) · shock. docs/judge.md says why each part is
there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from dataclasses import dataclass, field

from market.integrity.evidence import PPM, EProcess, mean

TOLERANCE_PPM = 100_000
"""An honest agent's claims may be a tenth too high on average."""
SURPLUS_PPM_MAX = PPM
"""What is delivered beyond what is expected counts up to the whole claim: bets have to be bounded, and the null is
about what is counted."""
RATIO_PPM_MAX = 2 * PPM
BETS_PPM = (100_000, 250_000, 500_000, 900_000)
"""What part of its wealth each bet puts on "delivers less"."""
STRATA_PERMILLE = (0, 750, 950)
"""Evidence is counted three times over: of all tasks, of the largest quarter, and of the largest twentieth, so that
lies about the large tasks alone are not hidden by many small ones."""
SPACING = 50
SIZES_KEPT = 128
ATTESTOR_SHARE = 10
"""No attestor supplies more than a tenth of the evidence about anybody."""
OTHERS_LEAST = 5
RECENT_KEPT = 64
OTHERS_KEPT = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """A task that ended. Points are those of its class; `size` is known at the award (credits paid, say), and
    `attestor` is the budget root that attested."""

    agent: bytes
    attestor: bytes
    claimed_points: int
    attested_points: int
    size: int

    @property
    def ratio_ppm(self) -> int:
        """Attested over claimed, at most `RATIO_PPM_MAX`; rounded up, in the agent's favour."""
        return min(RATIO_PPM_MAX, -(-self.attested_points * PPM // self.claimed_points))


@dataclass(slots=True)
class Standing:
    """The evidence about one agent (a budget root)."""

    strata: tuple[EProcess, ...] = field(
        default_factory=lambda: tuple(EProcess.of(len(BETS_PPM)) for _ in STRATA_PERMILLE)
    )
    sizes: deque[int] = field(default_factory=deque)
    """The last ones in the order of arrival, and the same in their own order."""
    ranked: list[int] = field(default_factory=list)
    by_attestor: dict[bytes, int] = field(default_factory=dict)
    counted: int = 0
    ratios_ppm: int = 0
    """Sum over all that were counted."""

    @property
    def value(self) -> int:
        """The e-value now, in units of `evidence.ONE`."""
        return mean(process.value for process in self.strata)


@dataclass(slots=True)
class ClaimAudit:
    """The audit of a pool."""

    standings: dict[bytes, Standing] = field(default_factory=dict)
    recent: deque[tuple[bytes, int]] = field(default_factory=lambda: deque(maxlen=RECENT_KEPT))
    """(agent, its ratio relative to its own mean so far, millionths), the newest last."""

    def observe(self, outcome: Outcome) -> bool:
        """Count a task; False where it counts for nothing, as its attestor has supplied its share."""
        assert outcome.claimed_points > 0, "a claim of nothing is not audited"
        standing = self.standings.setdefault(outcome.agent, Standing())
        supplied = standing.by_attestor.get(outcome.attestor, 0)
        if supplied >= max(1, (standing.counted + 1) // ATTESTOR_SHARE):
            return False
        standing.by_attestor[outcome.attestor] = supplied + 1
        _bet(standing, outcome, self.shock_ppm(outcome.agent))
        self._remember(standing, outcome)
        return True

    def shock_ppm(self, agent: bytes) -> int:
        """What others in the pool delivered of late, relative to what each of them usually delivers: at most 1."""
        others = [ratio for other, ratio in self.recent if other != agent][-OTHERS_KEPT:]
        return PPM if len(others) < OTHERS_LEAST else min(PPM, sum(others) // len(others))

    def _remember(self, standing: Standing, outcome: Outcome) -> None:
        if standing.counted >= OTHERS_LEAST and standing.ratios_ppm > 0:
            usual_ppm = standing.ratios_ppm // standing.counted
            relative_ppm = min(RATIO_PPM_MAX, outcome.ratio_ppm * PPM // max(1, usual_ppm))
            self.recent.append((outcome.agent, relative_ppm))
        standing.counted += 1
        standing.ratios_ppm += outcome.ratio_ppm
        standing.sizes.append(outcome.size)
        insort(standing.ranked, outcome.size)
        if len(standing.sizes) > SIZES_KEPT:
            del standing.ranked[bisect_left(standing.ranked, standing.sizes.popleft())]


def _bet(standing: Standing, outcome: Outcome, shock_ppm: int) -> None:
    """Settle the bets that this task is one of."""
    expected_ppm = (PPM - TOLERANCE_PPM) * shock_ppm // PPM
    short_ppm = max(expected_ppm - outcome.ratio_ppm, -SURPLUS_PPM_MAX)
    factors = [PPM + bet * short_ppm // PPM for bet in BETS_PPM]
    rank_permille = rank(standing.ranked, outcome.size)
    for least, process in zip(STRATA_PERMILLE, standing.strata, strict=True):
        if rank_permille >= least:
            process.observe(factors, SPACING)


def rank(ranked: list[int], value: int) -> int:
    """How many of these, ascending, are below a value, permille; equal ones count half. The middle of none."""
    if not ranked:
        return 500
    return (bisect_left(ranked, value) + bisect_right(ranked, value)) * 500 // len(ranked)
