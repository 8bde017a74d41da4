"""Bugs planted by hand in CFPs by invitation: see planted.py."""

from __future__ import annotations

from tests.mutants.mutant import DIRECTED, Mutant

INVITATIONS, NOTICES, STATE = "market/rules/invitations.py", "market/notices.py", "market/state.py"
RULES, TOLD = "tests/market/test_rules.py", "tests/market/test_notices_invitations.py"

INVITATION_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "everybody is invited",
        STATE,
        "return not self.invited or account in self.invited",
        "return True",
        "whoever reads an announcement bids",
        (DIRECTED,),
    ),
    Mutant(
        "a CFP without invitations takes nobody",
        STATE,
        "return not self.invited or account in self.invited",
        "return account in self.invited",
        "no CFP that is open to all takes a bid",
        (DIRECTED,),
    ),
    Mutant(
        "anybody refuses a CFP by invitation",
        INVITATIONS,
        "    events = decisions.refuse(ctx, command)\n    need_invitation(ctx, command.cfp)\n",
        "    events = decisions.refuse(ctx, command)\n",
        "an uninvited account learns that its refusal is taken, and fills the CFP's refusals",
        (RULES,),
    ),
    Mutant(
        "the bank is invited",
        INVITATIONS,
        "seen = {ctx.need_sender().id, ctx.state.bank}",
        "seen = {ctx.need_sender().id}",
        "an invitation is sealed to an account that has no inbox key",
        (RULES,),
    ),
    Mutant(
        "an account is invited twice",
        INVITATIONS,
        "        seen.add(account)\n",
        "",
        "a record cannot be folded",
        (RULES,),
    ),
    Mutant(
        "one more is invited",
        INVITATIONS,
        "len(invited) <= limits.INVITED_PER_CFP_MAX",
        "len(invited) <= limits.INVITED_PER_CFP_MAX + 1",
        "a CFP is larger than its limit",
        (DIRECTED,),
    ),
    Mutant(
        "a snapshot forgets invitations",
        "market/snapshot.py",
        "        invited=dict.fromkeys(map(bytes.fromhex, invited)),\n",
        "",
        "after a restart a CFP by invitation is open to all",
        (DIRECTED,),
    ),
    Mutant(
        "as many notices as invited",
        NOTICES,
        "fewest = limits.SEALED_PER_CLOSE_MIN if invitations else 0",
        "fewest = 0",
        "everybody learns about how many are invited",
        (TOLD,),
    ),
    Mutant(
        "the announcement says how many are invited",
        NOTICES,
        "many = _padded(invitations, limits.SEALED_PER_CLOSE_MIN)",
        "many = invitations",
        "everybody learns how many are invited",
        (TOLD,),
    ),
    Mutant(
        "invitations come last",
        NOTICES,
        "return [*invited, *_mixed(notices | declined, least, BUCKET_BYTES_MIN, state, offset), *shown]",
        "return [*_mixed(notices | declined, least, BUCKET_BYTES_MIN, state, offset), *shown, *invited]",
        "a reader that has read all that were promised takes itself for uninvited",
        (TOLD,),
    ),
)
