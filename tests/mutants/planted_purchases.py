"""Bugs planted by hand in CFPs that buy, and in the work they buy: see planted.py."""

from __future__ import annotations

from tests.mutants.mutant import DIRECTED, GOLDEN, Mutant

BUYING, PRICES, EVOLVE = "market/rules/buying.py", "market/procurement.py", "market/evolve.py"
CASES = "tests/market/test_purchases.py::test_a_broken_rule"
ROWS = "tests/market/test_purchases.py::test_a_row_of_prices"
FIPA = "tests/market/test_fipa_buys.py"

PURCHASE_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "delay costs nothing in the ranking",
        PRICES,
        "    return ask.price_ucr * 1000 + terms.delay_cost_per_s_ucr * ask.start_delay_ms\n",
        "    return ask.price_ucr * 1000\n",
        "a cheap ask that starts tomorrow wins",
        (ROWS,),
    ),
    Mutant(
        "a loser's tie is forgotten",
        PRICES,
        "    if not rest and keys[winner.id] > keys[loser.id]:\n        most -= 1\n",
        "",
        "a winner is promised a price at which it would lose",
        (ROWS,),
    ),
    Mutant(
        "a price above the ceiling",
        PRICES,
        "    return min(most, cfp.reserve_price_ucr)",
        "    return most",
        "a manager pays more than it said",
        (ROWS,),
    ),
    Mutant(
        "the last slot prices itself",
        PRICES,
        "    loser = ranked[cfp.slots]\n",
        "    loser = ranked[cfp.slots - 1]\n",
        "a winner's own ask sets its price",
        (ROWS,),
    ),
    Mutant(
        "units are not locked for grace",
        PRICES,
        "    return cfp.duration_ms + terms.grace_ms\n",
        "    return cfp.duration_ms\n",
        "work times out before its grace is over",
        (GOLDEN,),
    ),
    Mutant(
        "lateness is free",
        PRICES,
        "    late = work.delay_cost_per_s_ucr * (work.delay_ms - work.promised_ms)\n",
        "    late = 0\n",
        "a contractor promises a start that it cannot keep",
        ("tests/market/test_purchases.py::test_the_reference_rows",),
    ),
    Mutant(
        "late work pays the manager",
        PRICES,
        "    return max(0, (work.price_ucr * 1000 - late) // 1000)",
        "    return (work.price_ucr * 1000 - late) // 1000",
        "a payment is below nothing",
        ("tests/market/test_purchases.py::test_the_reference_rows",),
    ),
    Mutant(
        "an early start is a bonus",
        BUYING,
        "max(work.promised_ms, ctx.at_ms - work.awarded_at_ms)",
        "ctx.at_ms - work.awarded_at_ms",
        "whoever says that it has started at once is paid for it",
        (DIRECTED,),
    ),
    Mutant(
        "done before the start",
        BUYING,
        '            require(work.delay_ms is not None, Code.OUT_OF_SEQUENCE, "it has not started")\n',
        "            work.delay_ms = work.promised_ms\n",
        "a contractor that never started is paid",
        (FIPA,),
    ),
    Mutant(
        "anybody reports work",
        BUYING,
        '    require(ctx.need_sender().id == work.account, Code.NOT_OWNER, "the work belongs to another account")\n',
        "    ctx.need_sender()\n",
        "a manager lets a contractor fail, and has its bond",
        (FIPA,),
    ),
    Mutant(
        "an ask with another's pool",
        BUYING,
        '    require(pool.owner == contractor.id, Code.NOT_OWNER, "the pool belongs to another account")\n',
        "",
        "a contractor sells units that it has not got",
        (CASES,),
    ),
    Mutant(
        "the ceiling of one slot is held",
        BUYING,
        "    ceiling_ucr = command.reserve_price_ucr * command.slots\n",
        "    ceiling_ucr = command.reserve_price_ucr\n",
        "several winners, and credits for one",
        (CASES,),
    ),
    Mutant(
        "a purchase beyond the budget",
        BUYING,
        "    budgets.check_room(ctx.state, manager, ceiling_ucr)\n",
        "",
        "a hard stop does not stop a manager that buys",
        (DIRECTED,),
    ),
    Mutant(
        "a bond beyond the budget",
        BUYING,
        "    budgets.check_room(ctx.state, contractor, cfp.terms.bond_ucr)\n",
        "",
        "a contractor binds more than its budget leaves",
        (DIRECTED,),
    ),
    Mutant(
        "a lowered limit stops the referee",
        EVOLVE,
        "fits = escrow or budget.room_ucr is None",
        "fits = budget.room_ucr is None",
        "an award of what was held already is a bug in the market's eyes, and it stands still",
        (DIRECTED,),
    ),
    Mutant(
        "work is given back as a lease",
        "market/rules/contracts.py",
        "    require(lease.award not in ctx.state.works, Code.OUT_OF_SEQUENCE,",
        "    require(True, Code.OUT_OF_SEQUENCE,",
        "a lease ends, and its escrow never does",
        (FIPA,),
    ),
    Mutant(
        "a manager hears nothing of its work",
        "market/notices.py",
        "        for account in (event.manager, event.account):\n",
        "        for account in (event.account,):\n",
        "the manager does not hear of its result",
        (GOLDEN,),
    ),
    Mutant(
        "a snapshot forgets when work started",
        "market/snapshot.py",
        "w.awarded_at_ms, w.task, w.delay_ms]",
        "w.awarded_at_ms, w.task, None]",
        "after a restart work may start again",
        (DIRECTED,),
    ),
)
