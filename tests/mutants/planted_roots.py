"""Bugs planted by hand in the caps by budget root: see planted.py."""

from __future__ import annotations

from tests.mutants.mutant import DIRECTED, Mutant

ROOTS, GUARDS = "market/rules/roots.py", "tests/market/test_guards.py"
CHECKER = ("tests/analytics/test_verify_limits.py",)

ROOT_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a root has one bid too many",
        ROOTS,
        "    require(mine < limits.BIDS_PER_ROOT_AND_CFP_MAX, ",
        "    require(mine <= limits.BIDS_PER_ROOT_AND_CFP_MAX, ",
        "a root has more than half of a call",
        (GUARDS,),
    ),
    Mutant(
        "asks are not counted by root",
        ROOTS,
        "    events = invitations.place_ask(ctx, command)\n    _check_bids(ctx, command.cfp)\n",
        "    events = invitations.place_ask(ctx, command)\n",
        "second identities fill the calls of who buys",
        (DIRECTED,),
    ),
    Mutant(
        "calls that ended count for the root",
        "market/state.py",
        "        self.root_cfps[account.budget_root] += number\n",
        "        self.root_cfps[account.budget_root] += max(0, number)\n",
        "a root's managers are locked out for ever",
        (DIRECTED,),
    ),
    Mutant(
        "accounts count instead of roots",
        ROOTS,
        "    return sum(ctx.state.accounts[ident].budget_root == root for ident in accounts)\n",
        "    return sum(ident == ctx.need_sender().id for ident in accounts)\n",
        "second identities fill the market",
        (DIRECTED,),
    ),
    Mutant(
        "claims are not counted by root",
        ROOTS,
        '    require(mine < limits.CLAIMS_PER_ROOT_MAX, Code.LIMIT_REACHED, "claims of the budget root")\n',
        "",
        "second identities fill the room for claims",
        ("tests/market/test_limits.py",),
    ),
    Mutant(
        "a claim that gives way counts",
        ROOTS,
        " if talk.award != award]\n",
        "]\n",
        "a root whose lease is claimed cannot sell it",
        ("tests/market/test_limits.py",),
    ),
    Mutant(
        "the checker looks for a root's calls too late",
        "analytics/checker/refusals_cfps.py",
        "    if len(cfps) >= OPEN_PER_ROOT_MAX and",
        "    if len(cfps) > OPEN_PER_ROOT_MAX and",
        "a call is found wrong that the rules refuse",
        CHECKER,
    ),
)
