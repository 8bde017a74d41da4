"""Bugs planted by hand in the operator's policy: see planted.py."""

from __future__ import annotations

from tests.mutants.mutant import DIRECTED, Mutant

POLICIES, BUDGETS, GUARDS = "market/rules/policies.py", "market/rules/budgets.py", "tests/market/test_guards.py"

POLICY_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "the bank sets its own bound",
        POLICIES,
        '    require(ctx.sender is None, Code.NOT_PERMITTED, "only the operator may do this")\n',
        "",
        "a bank loosens the policy that bounds it",
        (GUARDS,),
    ),
    Mutant(
        "issuance is bounded a posting",
        "market/policy.py",
        "        self.issued_ucr += amount_ucr\n",
        "        self.issued_ucr = amount_ucr\n",
        "many small postings issue without end",
        (DIRECTED,),
    ),
    Mutant(
        "a window never ends",
        "market/policy.py",
        "            self.starts_at_ms, self.issued_ucr = self.window_of(at_ms), 0\n",
        "            self.starts_at_ms = self.window_of(at_ms)\n",
        "the bank issues nothing any more",
        (DIRECTED,),
    ),
    Mutant(
        "allowances are free",
        BUDGETS,
        "        most_ucr = issuable_ucr if left_ucr is None else min(issuable_ucr, left_ucr - issued_ucr)\n",
        "        most_ucr = issuable_ucr\n",
        "a budget issues what the policy does not leave",
        (GUARDS,),
    ),
    Mutant(
        "an offer costs nothing",
        POLICIES,
        "    if not fee_ucr:\n",
        "    if fee_ucr or not fee_ucr:\n",
        "a negotiation goes on for nothing",
        (GUARDS,),
    ),
    Mutant(
        "a fee on credit",
        POLICIES,
        "    accounts.check_credit(party, fee_ucr)\n",
        "",
        "a party pays what it has not got, and the market stands still",
        (DIRECTED,),
    ),
    Mutant(
        "a snapshot forgets the policy",
        "market/snapshot.py",
        '    s.policy = None if d["policy"] is None else Policy(*d["policy"])\n',
        "    s.policy = None\n",
        "after a restart the bank issues what it likes",
        (DIRECTED,),
    ),
)
