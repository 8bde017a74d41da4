"""What a referee writes of a purchase, for the random histories of generator.py: at a ceiling of 100, a deposit of 3, a
price of 70 and a bond of 5; work that is done is paid 60."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages import CfpOutcome, Direction, Event, LeaseEnd, Pricing, Progress
from contractnet.messages import events as ev
from market.works import deposit_of


@dataclass(frozen=True)
class Work:
    """Who buys what from whom."""

    award: bytes
    cfp: bytes
    manager: bytes
    account: bytes
    pool: str

    def told(self, progress: Progress, delay_ms: int | None, paid_ucr: int, text: str) -> Event:
        """How far it is."""
        return ev.WorkReported(self.award, self.cfp, self.manager, self.account, progress, delay_ms, paid_ucr, text)


def bought(work: Work, within_ms: int, at_ms: int) -> list[Event]:
    """A purchase from its opening to its award."""
    cfp, manager, contractor = work.cfp, work.manager, work.account
    return [
        ev.CfpOpened(cfp, manager, Direction.BUY, "wanted", 1, 60_000, 1, 100, Pricing.SECOND, at_ms),
        ev.PurchaseOpened(cfp, 2**62, 5, within_ms, 7),
        ev.HoldPlaced(cfp, manager, 100, cfp),
        ev.HoldPlaced(deposit_of(cfp), manager, 3, cfp),
        ev.BidPlaced(work.award, cfp, contractor, 50, 1000, 3, "task", bytes(32), None),
        ev.UnitsOffered(work.award, work.pool),
        ev.HoldPlaced(work.award, contractor, 5, cfp),
        ev.HoldReleased(cfp, manager, 100),
        ev.AwardMade(work.award, cfp, 0, contractor, 70, 50),
        ev.SlotReserved(work.award, work.pool, 1, contractor, at_ms, at_ms + 60_007, bytes(32)),
        ev.HoldPlaced(work.award[::-1], manager, 70, cfp),
        ev.HoldReleased(deposit_of(cfp), manager, 3),
        ev.CfpClosed(cfp, CfpOutcome.AWARDED, 1, 1),
    ]


def started(work: Work, delay_ms: int) -> Event:
    """Work has started."""
    return work.told(Progress.STARTED, delay_ms, 0, "")


def ended(work: Work, progress: Progress, delay_ms: int | None) -> list[Event]:
    """Work has ended; the posting is left to the caller."""
    escrow, bond = (work.award[::-1], work.manager), (work.award, work.account)
    done = progress is Progress.DONE
    settled = (
        [ev.HoldCaptured(*escrow, 60, 10), ev.HoldReleased(*bond, 5)]
        if done
        else [ev.HoldReleased(*escrow, 70), ev.HoldCaptured(*bond, 5, 0)]
    )
    told = work.told(progress, delay_ms, 60 if done else 0, "the 'result' \0 ü")
    return [told, ev.LeaseEnded(work.award, work.pool, LeaseEnd.RELEASED), *settled]
