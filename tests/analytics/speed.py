"""How fast verify is on a log in memory: `python -m tests.analytics.speed [--commands 12000] [--jobs 0] [--runs 5]`.

Calls of five bids each, of which one or two win: what a market does most. Prints the report's line of each run; with
--jobs 0 signatures are checked in this process, and are left out of the rate that is printed beside it.
"""

from __future__ import annotations

import argparse

from analytics.verify import Order, verify
from contractnet.messages import Direction, Pricing
from contractnet.messages import commands as c
from tests.analytics.towns import MANAGER, MARKETS, OPERATOR, Topics, Traffic, judged, source_of

PARTITION = 3


def busy(commands: int) -> Topics:
    """The topics of such a market."""
    made = Traffic(MARKETS[PARTITION], seed=7)
    made.open()
    r = made.random
    while len(made.records) < commands:
        terms = (1, r.randint(100, 400), r.randint(1, 2), 60, 1, Pricing.SECOND)
        cfp = made.send(c.CallForProposals(Direction.SELL, "rack", *terms), MANAGER)
        for keys in r.sample(made.agents, 5):
            made.send(c.PlaceBid(cfp, r.randint(1, 3), 0, "train", bytes(32), None), keys)
        made.at_ms += 60
        made.tick()
    return judged({PARTITION: made.records}, snapshots_every=10**9)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, default=12_000)
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    topics = busy(options.commands)
    for _ in range(options.runs):
        report, _checkpoint = verify(source_of(topics), Order(OPERATOR.public, jobs=options.jobs))
        assert report.sound, report.lines()
        events = report.counts["ledger records compared"]
        own_s = report.cpu_s - (0 if options.jobs else report.signature_cpu_s)
        rates = next(line for line in report.lines() if line.startswith("rates"))
        print(f"{events:,} events, {events / own_s:,.0f} a second of the re-run's CPU time. {rates}", flush=True)


if __name__ == "__main__":
    main()
