"""The model's budgets: nothing is counted on the way, everything is added up when it is asked for."""

from __future__ import annotations

import hashlib

from contractnet.messages import commands as c
from tests.market.model_decay import Decay
from tests.market.model_parts import DAY_MS, MONEY_MAX, Row, good_text

Scoped = c.SetBudget | c.ClearBudget | c.TopUpBudget


class Budgets(Decay):
    """What tests/market/model.py knows of budgets. A row's `since` is how many payments came before its window."""

    def under(self, row: Row) -> list[bytes]:
        """The accounts that fall under a budget."""
        project = [i for i, a in self.accounts.items() if a["project"] == row["project"] and i != self.bank]
        return project if row["account"] is None else [row["account"]]

    def spent(self, row: Row) -> int:
        """What those have paid in this window."""
        who = self.under(row)
        return sum(amount for account, amount in self.payments[row["since"] :] if account in who)

    def held_under(self, row: Row) -> int:
        """What their open bids hold."""
        return sum(map(self.held, self.under(row)))

    def budgets_over(self, account: bytes) -> list[Row]:
        """The budgets that an account falls under."""
        return [row for row in self.budgets.values() if account in self.under(row)]

    def leave_room(self, account: bytes, price: int) -> bool:
        """Whether each of its budgets has that much left."""
        return all(
            row["limit"] is None or self.spent(row) + self.held_under(row) + price <= row["limit"] + row["topped"]
            for row in self.budgets_over(account)
        )

    def takes_one_more(self, project: str) -> bool:
        """Whether another account may be opened in a project."""
        rows = [row for row in self.budgets.values() if row["account"] is None and row["project"] == project]
        return not rows or len(self.under(rows[0])) < self.limits["budget_accounts"]

    def warn(self, payers: set[bytes]) -> None:
        """After a close: which of the payers' budgets have reached their threshold."""
        for payer in payers:
            for row in self.budgets_over(payer):
                if row["limit"] is not None:
                    share = self.spent(row) * 1000 >= row["warn"] * (row["limit"] + row["topped"])
                    row["warned"] = row["warned"] or share

    def next_window(self, ident: bytes, at: int) -> None:
        """One window ends, the next one begins right there."""
        row = self.budgets[ident]
        who = self.under(row) if row["allowance"] or row["decay"] else []
        for number, account in enumerate(who):
            share = row["allowance"] // len(who) + (number < row["allowance"] % len(who))
            free = self.accounts[account]["balance"] - self.held(account)
            asked = self.asked(row, account, free)
            kept = max(0, free - asked)
            self.accounts[account]["owed"] = max(0, asked - free)
            if share and row["cap"]:
                kept = min(kept, (row["cap"] - 1) * share)
            self.accounts[account]["balance"] += kept - free
            self.accounts[self.bank]["balance"] -= kept - free
            given = min(share, self.limits["issued"] + self.accounts[self.bank]["balance"], self.may_issue(at))
            self.issued.append((at, given))
            self.accounts[account]["balance"] += given
            self.accounts[self.bank]["balance"] -= given
        row |= {"start": row["end"], "end": row["end"] + row["window"], "since": len(self.payments)}
        row |= {"topped": 0, "warned": False}

    def _found(self, command: Scoped) -> bytes | None:
        """The budget of the scope that a command names, where it names one."""
        self.need(self.sender == self.bank, "NOT_PERMITTED")
        if self.need((command.account is None) == (command.project != ""), "BAD_BUDGET"):
            if command.account is None:
                self.need(good_text(command.project), "BAD_NAME")
            else:
                self.need(command.account in self.accounts, "UNKNOWN_ACCOUNT")
                self.need(command.account != self.bank, "NOT_PERMITTED")
        scope = (command.account, command.project)
        return next((i for i, row in self.budgets.items() if (row["account"], row["project"]) == scope), None)

    def _exist(self) -> bool:
        """Whether the market's rules know budgets: if not, nothing else of a command counts."""
        return self.need(self.version >= 4, "UNKNOWN_RULES")

    def _SetBudget(self, command: c.SetBudget) -> None:
        if not self._exist():
            return
        found = self._found(command)
        window, offset = command.window_ms, command.offset_ms
        good = 60_000 <= window <= 366 * DAY_MS
        self.need(good and (offset is None or 0 <= offset < window), "BAD_DURATION")
        limit = 0 if command.limit_ucr is None else command.limit_ucr
        self.need(0 <= limit <= MONEY_MAX and 0 <= command.allowance_ucr <= MONEY_MAX, "BAD_AMOUNT")
        permilles = 0 <= command.decay_permille <= 1000 and 1 <= command.warn_permille <= 1000
        self.need(permilles and 0 <= command.cap_allowances <= 1000, "BAD_BUDGET")
        self.need(found is not None or len(self.budgets) < self.limits["budgets"], "LIMIT_REACHED")
        row: Row = {"account": command.account, "project": command.project, "limit": command.limit_ucr}
        self.need(len(self.under(row)) <= self.limits["budget_accounts"], "LIMIT_REACHED")
        if self.bad:
            return
        if offset is None:
            name = command.project.encode() if command.account is None else command.account
            offset = int(hashlib.sha256(b"contractnet/budget/1" + name).hexdigest()[:16], 16) % window
        start = (self.now - offset) // window * window + offset
        row |= {"allowance": command.allowance_ucr, "window": window, "offset": offset, "decay": command.decay_permille}
        row |= {"cap": command.cap_allowances, "warn": command.warn_permille, "start": start, "end": start + window}
        old = self.budgets.get(found) if found else None
        kept = {"topped": 0, "warned": False, "since": len(self.payments)}
        if old is not None:
            kept = {name: old[name] for name in kept}
            if (old["window"], old["offset"]) == (window, offset):
                kept |= {"start": old["start"], "end": old["end"]}
        kept["counts"] = self.counts_from(old, row)
        self.budgets[found or self.id] = row | kept

    def _ClearBudget(self, command: c.ClearBudget) -> None:
        if self._exist():
            found = self._found(command)
            if self.need(found is not None, "UNKNOWN_BUDGET") and found and not self.bad:
                del self.budgets[found]

    def _TopUpBudget(self, command: c.TopUpBudget) -> None:
        if not self._exist():
            return
        found = self._found(command)
        row = self.budgets.get(found or b"", {"limit": None, "topped": 0})
        self.need(row["limit"] is not None, "UNKNOWN_BUDGET")
        raised = (row["limit"] or 0) + row["topped"] + command.amount_ucr
        self.need(0 < command.amount_ucr <= MONEY_MAX and raised <= MONEY_MAX, "BAD_AMOUNT")
        if not self.bad:
            row["topped"] += command.amount_ucr
