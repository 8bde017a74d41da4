"""The model's CFPs by invitation."""

from __future__ import annotations

from contractnet.messages import commands as c
from tests.market.model_parts import Books, Row


class Invitations(Books):
    """What tests/market/model.py knows of them. A CFP's row has `invited`, empty where it is open to all."""

    def need_good_invitations(self, command: c.CallForProposals) -> None:
        """Who is invited."""
        wanted = command.invited
        if self.version < 6:
            self.need(len(wanted) == 0, "UNKNOWN_RULES")
            return
        self.need(len(wanted) <= self.limits["invited"], "LIMIT_REACHED")
        self.need(all(account in self.accounts for account in wanted), "UNKNOWN_ACCOUNT")
        others = sorted({*wanted} - {self.sender, self.bank})
        self.need(others == sorted(wanted), "BAD_INVITATION")

    def need_invited(self, cfp: Row) -> None:
        """Whoever answers a CFP is among the invited, where there are any."""
        self.need(not cfp["invited"] or self.sender in cfp["invited"], "NOT_INVITED")
