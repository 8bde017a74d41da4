"""The part of the simulation's crowd that sets budgets, and what the operator sets for a whole market."""

from __future__ import annotations

import random

from contractnet.messages import Command
from contractnet.messages import commands as c
from tests.market.town import budget


def decaying(dice: random.Random) -> Command:
    """A budget of everybody's project that takes half of what they have in a minute, so that bids hold what is due.
    Versions before the fourth answer UNKNOWN_RULES."""
    return budget(None, "project", limit_ucr=None, decay_permille=500, offset_ms=dice.randrange(60_000))


def budget_command(dice: random.Random, account: bytes) -> tuple[Command, str]:
    """A budget is set, topped up or ended, or the operator sets something; and who sends it. Versions before the
    fourth, the seventh, the eighth and the ninth answer UNKNOWN_RULES; before the tenth a deposit has no floor."""
    if dice.random() < 0.25:
        if dice.random() < 0.3:
            return c.SetResaleCall(dice.choice((0, 50, 300, 1_000, 1_000))), "operator"
        policy = c.SetPolicy(dice.choice((None, None, 900, 9_000)), 60_000, dice.choice((0, 0, 3)))
        deposit = c.SetDeposit(dice.choice((0, 10**6, 10**6, 10**5)), dice.choice((0, 0, 10**5, 10**8)))
        return dice.choice((policy, deposit)), "operator"
    scope: tuple[bytes | None, str] = dice.choice(((account, ""), (None, "project")))
    made: Command = budget(
        *scope,
        limit_ucr=dice.choice((None, 0, 200, 900, 2_000)),
        allowance_ucr=dice.choice((0, 0, 300, 1_000)),
        window_ms=dice.choice((60_000, 60_000, 77_000)),
        offset_ms=dice.choice((None, 0)),
        decay_permille=dice.choice((0, 100, 500)),
        cap_allowances=dice.choice((0, 2)),
        warn_permille=dice.choice((1, 300, 800)),
    )
    kind = dice.randrange(6)
    if kind == 0:
        made = c.TopUpBudget(*scope, dice.randrange(1, 300))
    if kind == 1:
        made = c.ClearBudget(*scope)
    return made, "bank"
