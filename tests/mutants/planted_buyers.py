"""Bugs planted by hand in the deposits of managers that buy: see planted.py."""

from __future__ import annotations

from tests.mutants.mutant import DIRECTED, GOLDEN, Mutant

DEPOSITS, STATE, CHECKER = "market/rules/deposits.py", "market/state.py", "analytics/checker/deposits.py"
VERIFY = "tests/analytics/test_verify_buyers.py"

BUYER_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a buyer of version 10 deposits",
        STATE,
        "self.rules_version < limits.BUYER_DEPOSITS_RULES_VERSION\n",
        "self.rules_version < limits.BUYER_DEPOSITS_RULES_VERSION - 1\n",
        "what an older market has answered is not reproduced",
        (DIRECTED, GOLDEN),
    ),
    Mutant(
        "a buyer deposits by its ceiling",
        STATE,
        "deposit_ucr(self.terms.bond_ucr, self.slots",
        "deposit_ucr(self.reserve_price_ucr, self.slots",
        "what is held is not what a call locks of others",
        (DIRECTED,),
    ),
    Mutant(
        "a buyer's deposit has the id of its ceiling",
        STATE,
        "return self.id if self.terms is None else deposit_of(self.id)\n",
        "return self.id\n",
        "the two holds of a call are one",
        (DIRECTED,),
    ),
    Mutant(
        "ceiling and deposit from the same credits",
        DEPOSITS,
        "    check_credit(manager, ceiling_ucr + amount_ucr)\n",
        "    check_credit(manager, amount_ucr)\n",
        "a buyer holds what it has not got",
        (DIRECTED,),
    ),
    Mutant(
        "ceiling and deposit from the same budget",
        DEPOSITS,
        "    budgets.check_room(state, manager, ceiling_ucr + amount_ucr)\n",
        "    budgets.check_room(state, manager, amount_ucr)\n",
        "more is held than a budget leaves",
        (DIRECTED,),
    ),
    Mutant(
        "an ask without units is paid",
        DEPOSITS,
        "    return pool.leases + len(given) < limits.LEASES_PER_POOL_MAX and used + cfp.units <= pool.units\n",
        "    return True\n",
        "contractors fill their pools and live on the deposits of buyers who could not choose them",
        (DIRECTED,),
    ),
    Mutant(
        "units that the call has just taken are free",
        DEPOSITS,
        "isinstance(event, e.SlotReserved) and event.pool == pool.name]",
        "isinstance(event, e.SlotReserved) and event.pool != pool.name]",
        "who is given one slot is paid for a second that it had no units for",
        (DIRECTED,),
    ),
    Mutant(
        "a rejected ask needs units still",
        DEPOSITS,
        "        if cfp.terms is None or bid.freed_at_ms or _has_room(",
        "        if cfp.terms is None or _has_room(",
        "who is turned down and works elsewhere is not paid for the time that it was bound",
        (DIRECTED,),
    ),
    Mutant(
        "a buyer's deposit has a floor",
        "market/evolve.py",
        "    if cfp.deposit_hourly_permille and cfp.direction is Direction.SELL:\n",
        "    if cfp.deposit_hourly_permille:\n",
        "states differ between workers that came by different ways",
        (DIRECTED, "tests/market/test_model.py"),
    ),
    Mutant(
        "the checker asks no buyer for a deposit",
        CHECKER,
        "(not cfp.buys or book.version >= BUYERS_DEPOSIT_RULES)",
        "not cfp.buys",
        "verify takes a sound ledger for a broken one",
        (VERIFY,),
    ),
    Mutant(
        "the checker lets a deposit stand",
        CHECKER,
        '        need(ident in self.freed, "a deposit is free when its CFP ends")\n',
        "",
        "credits that stay held for ever are not found",
        (VERIFY,),
    ),
    Mutant(
        "the checker looks for no units",
        CHECKER,
        "    return len(pool.leases) < LEASES_PER_POOL_MAX and used + cfp.units <= pool.units\n",
        "    return True\n",
        "verify takes a sound ledger for a broken one",
        (VERIFY,),
    ),
)
