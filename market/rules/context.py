"""What a rule may look at: the state before the command, who sent it, and when."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages import Code
from contractnet.messages.names import name_problem
from market.account import Account
from market.limits import AMOUNT_UCR_MAX
from market.rejection import Rejection, require
from market.state import State


@dataclass(frozen=True, slots=True)
class Context:
    """A proven, new command's surroundings. `sender` is None for the operator; `key` signed the command."""

    state: State
    command_id: bytes
    at_ms: int
    key: bytes
    sender: Account | None

    @property
    def is_bank(self) -> bool:
        """Whether the bank sent it."""
        return self.sender is not None and self.sender.id == self.state.bank

    def need_bank(self) -> None:
        """Reject unless the bank sent it."""
        require(self.is_bank, Code.NOT_PERMITTED, "only the bank may do this")

    def need_sender(self) -> Account:
        """The sending account; the operator's key has none."""
        if self.sender is None:
            raise Rejection(Code.NOT_PERMITTED, "the operator's key has no account")
        return self.sender

    def account(self, ident: bytes) -> Account:
        """The account of this id."""
        found = self.state.accounts.get(ident)
        if found is None:
            raise Rejection(Code.UNKNOWN_ACCOUNT, f"account {ident.hex()}")
        return found


def check_amount(amount_ucr: int) -> None:
    """Reject an amount that no posting may have."""
    require(0 < amount_ucr <= AMOUNT_UCR_MAX, Code.BAD_AMOUNT, f"{amount_ucr} is not in 1..{AMOUNT_UCR_MAX}")


def check_name(what: str, name: str, *bounds: int, empty: bool = False) -> None:
    """Reject a text that must not reach Kafka, SQL or a terminal. The text itself stays out of the answer."""
    problem = name_problem(name, *bounds, empty=empty)
    require(problem is None, Code.BAD_NAME, f"{what}: {problem}")


def check_range(code: Code, what: str, value: int, least: int, most: int) -> None:
    """Reject a number outside least..most."""
    require(least <= value <= most, code, f"{what} {value} is not in {least}..{most}")
