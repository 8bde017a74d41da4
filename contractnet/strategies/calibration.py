"""Claims that hold on average: learned from the agent's own outcomes, in the task class's points, not in credits."""

from __future__ import annotations

from dataclasses import dataclass

PRIOR_TASKS = 5.0


@dataclass(slots=True)
class Calibrator:
    """Turns an agent's own estimate into what such tasks deliver on average, after they were won.

    Estimates with noise are too high exactly where they win (the winner's curse: Capen, Clapp & Campbell 1971; the
    optimizer's curse: Smith & Winkler 2006), so that even an honest agent claims too much. This fits delivered
    = a + b·estimate to the agent's own wins by least squares. Choosing which tasks to bid on *by the estimate* does not
    bias the line, as the estimate is what it is fitted on. `prior_tasks` imagined tasks that delivered just what
    was estimated fade the correction in: after n tasks it has n / (n + prior_tasks) of its size.

    Only what was won can be learned from. Calibrate what is claimed *and* the worth that is bid: a bid
    from the raw estimate pays for value that does not come. It does not see what is no function of the estimate: a
    common shock, say, or drift. Start a new one when the work changes.
    """

    prior_tasks: float = PRIOR_TASKS
    tasks: int = 0
    _mean_estimate: float = 0.0
    _mean_surplus: float = 0.0
    _squares: float = 0.0
    _products: float = 0.0

    def learn(self, estimate: float, delivered: float) -> None:
        """Add a finished task: the agent's raw estimate (not its claim) and what it delivered, in points."""
        self.tasks += 1
        surplus = delivered - estimate
        from_mean = estimate - self._mean_estimate
        self._mean_estimate += from_mean / self.tasks
        self._mean_surplus += (surplus - self._mean_surplus) / self.tasks
        # Welford 1962: no difference of large sums.
        self._squares += from_mean * (estimate - self._mean_estimate)
        self._products += from_mean * (surplus - self._mean_surplus)

    def calibrated(self, estimate: float) -> float:
        """What a task with this estimate delivers on average, at least 0. Without experience it is the estimate."""
        if self.tasks == 0:
            return max(0.0, estimate)
        slope = self._products / self._squares if self._squares > 0 else 0.0
        surplus = self._mean_surplus + slope * (estimate - self._mean_estimate)
        return max(0.0, estimate + surplus * self.tasks / (self.tasks + self.prior_tasks))

    def claim_points(self, estimate: float) -> int:
        """The calibrated estimate as `Claim.expected_value_points` takes it: whole points."""
        return round(self.calibrated(estimate))
