"""Bugs planted by hand in the budgets: see planted.py."""

from __future__ import annotations

from tests.mutants.mutant import DIRECTED, GOLDEN, SEEDS, Mutant

BUDGETS, STATE, EVOLVE = "market/rules/budgets.py", "market/state.py", "market/evolve.py"
BUDGET = "market/budget.py"
WINDOWS = "market/evolve_budgets.py"
OF_BUDGETS = "tests/market/test_budgets.py"

BUDGET_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "one micro-credit beyond a budget",
        BUDGETS,
        "fits = room is None or amount_ucr <= room",
        "fits = room is None or amount_ucr <= room + 1",
        "a bid holds more than the limit leaves",
        (DIRECTED,),
    ),
    Mutant(
        "what is held does not count",
        BUDGET,
        "most - self.spent_ucr - self.held_ucr",
        "most - self.spent_ucr",
        "a flood of bids goes through a hard stop",
        (DIRECTED,),
    ),
    Mutant(
        "a project's budget binds nobody",
        STATE,
        "(self.scopes.get(account.id), self.scopes.get(account.project))",
        "(self.scopes.get(account.id),)",
        "an agent is bound by its own budget only",
        (DIRECTED,),
    ),
    Mutant(
        "a close gives no room back",
        EVOLVE,
        "        budget.held_ucr -= amount_ucr\n",
        "",
        "bids that lost count for ever",
        (DIRECTED,),
    ),
    Mutant(
        "spending is not counted",
        EVOLVE,
        "        budget.spent_ucr += event.captured_ucr\n",
        "        budget.spent_ucr += 0\n",
        "no limit is ever reached",
        (DIRECTED,),
    ),
    Mutant(
        "what was spent outlives its window",
        WINDOWS,
        "    budget.topped_up_ucr = budget.spent_ucr = 0\n",
        "    budget.topped_up_ucr = 0\n",
        "a budget is spent once and for ever",
        (DIRECTED,),
    ),
    Mutant(
        "a top-up outlives its window",
        WINDOWS,
        "    budget.topped_up_ucr = budget.spent_ucr = 0\n",
        "    budget.spent_ucr = 0\n",
        "a limit only ever grows",
        (GOLDEN, SEEDS),
    ),
    Mutant(
        "other terms forget what was spent",
        WINDOWS,
        "budget.spent_ucr, budget.warned = old.topped_up_ucr, old.spent_ucr, old.warned",
        "budget.spent_ucr, budget.warned = old.topped_up_ucr, 0, old.warned",
        "setting a budget again refills it",
        (DIRECTED,),
    ),
    Mutant(
        "a warning at every close",
        BUDGET,
        "return not self.warned and most is not None",
        "return most is not None",
        "a budget warns more than once a window",
        (DIRECTED,),
    ),
    Mutant(
        "held credits decay",
        BUDGETS,
        "_decay(budget, account.free_ucr, share_ucr, due_ucr)",
        "_decay(budget, account.balance_ucr, share_ucr, due_ucr)",
        "a window's end takes what backs open bids",
        (DIRECTED,),
    ),
    Mutant(
        "no cap",
        BUDGETS,
        "if budget.cap_allowances and share_ucr:",
        "if budget.cap_allowances and not share_ucr:",
        "allowances heap up",
        (DIRECTED,),
    ),
    Mutant(
        "the rest of an allowance is lost",
        BUDGETS,
        "share_ucr + (number < rest)",
        "share_ucr",
        "a project gets less than its allowance",
        (DIRECTED,),
    ),
    Mutant(
        "an overdue window is left out",
        BUDGETS,
        "        starts_at_ms = old.starts_at_ms\n",
        "        starts_at_ms += 0\n",
        "setting a budget again skips an allowance",
        (DIRECTED,),
    ),
    Mutant(
        "a snapshot forgets what bids hold under a budget",
        STATE,
        "budget.held_ucr = sum(self.accounts[ident].held_ucr for ident in self.accounts_under(budget))",
        "budget.held_ucr = 0",
        "after a restart a hard stop is none",
        (DIRECTED,),
    ),
    Mutant(
        "a decaying project is told only where something decayed",
        "market/notices.py",
        "return [] if budget is None or silent else state.accounts_under(budget)",
        "return [] if budget is None or budget.account is None else state.accounts_under(budget)",
        "the number of notices tells who holds all that it has",
        (OF_BUDGETS,),
    ),
    Mutant(
        "any number of windows in one record",
        "market/shard.py",
        "            possible += state.entries_due()\n",
        "            possible += 0 * state.entries_due()\n",
        "one record's notices outgrow what a nonce can count",
        (OF_BUDGETS,),
    ),
    Mutant(
        "always the newest form",
        "contractnet/codec.py",
        "            if form.holds(what):\n",
        "            if not form:\n",
        "ledgers of earlier versions are no longer reproduced",
        (GOLDEN,),
    ),
)
