"""The bank and the operator of a market."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from contractnet.access import Access
from contractnet.client.accounts import Account, id_of
from contractnet.client.connection import TIMEOUT_S
from contractnet.client.rotation import Rotating
from contractnet.client.token_pools import TokenBank
from contractnet.credentials import Credential, Role, fingerprint, save
from contractnet.envelope import Sealed, seal
from contractnet.errors import CredentialError, RejectedError
from contractnet.messages import commands as c
from contractnet.signing import NO_GENESIS, KeyPair

INBOX_KEY_BYTES = 32
RULES_VERSION = 11
"""The rules that a new market starts with (market/rules/)."""

DECAY_PERMILLE, CAP_ALLOWANCES = 100, 2
"""What a budget with an allowance has where nobody says otherwise: at each window's end a tenth of what an account had
on average goes, held credits included (up to rules version 8, a tenth of what is free), and no account keeps more than
two allowances."""

Scope = Account | str
"""What a budget is for: an account, or a project by its name."""


class Bank(TokenBank):
    """The bank of a market: it opens accounts, issues credits, and owns no pools or bids of its own.

    Every method waits for the market's answer: RejectedError with the code, or OutcomeTimeoutError.
    Amounts are micro-credits. An account is its id (16 bytes) or its holder's credential; keys are 32 bytes.
    """

    role = Role.BANK

    async def open_account(
        self,
        name: str,
        project: str,
        budget_root: str | None = None,
        *,
        signing_key: bytes,
        inbox_key: bytes,
        timeout_s: float = TIMEOUT_S,
    ) -> bytes:
        """Open an account with its first public key; its id. Caps, ties and weights go by `budget_root` (default: the
        project)."""
        command = c.OpenAccount(name, project, budget_root or project, signing_key, inbox_key)
        return await self._send(command, timeout_s)

    async def enroll(
        self,
        name: str,
        project: str,
        path: str | Path | None = None,
        *,
        budget_root: str | None = None,
        bootstrap_hint: str | None = None,
        kafka: Access | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Credential:
        """Open an account with new keys, and write its credential file to `path` before the market hears of it.

        A rejected account leaves no file; after a timeout the file stays, as the account may exist. `kafka` is what
        the new member will show the broker (contractnet.principals makes such users).
        """
        keys, inbox_key = KeyPair.generate(), os.urandom(INBOX_KEY_BYTES)
        sealed = self.prepare(c.OpenAccount(name, project, budget_root or project, keys.public, inbox_key))
        credential = Credential(
            role=Role.AGENT,
            market=self.connection.market,
            name=name,
            keys=keys,
            operator=self.credential.operator,
            genesis=self._genesis(),
            account=sealed.command_id,
            inbox_key=inbox_key,
            partitions=self.connection.partitions,
            bootstrap=bootstrap_hint,
            kafka=kafka,
        )
        if path is not None:
            save(credential, path)
        try:
            await self.submit(sealed, timeout_s)
        except RejectedError:
            if path is not None:
                Path(path).unlink(missing_ok=True)
            raise
        return credential

    async def issue(self, account: Account, amount_ucr: int, memo: str = "", *, timeout_s: float = TIMEOUT_S) -> None:
        """Issue new credits to an account."""
        await self._send(c.IssueCredits(id_of(account), amount_ucr, memo), timeout_s)

    async def transfer(
        self, debit: Account, credit: Account, amount_ucr: int, memo: str = "", *, timeout_s: float = TIMEOUT_S
    ) -> None:
        """Move credits from one account to another; held ones stay."""
        await self._send(c.TransferCredits(id_of(debit), id_of(credit), amount_ucr, memo), timeout_s)

    async def set_budget(
        self,
        scope: Scope,
        limit_ucr: int | None = None,
        *,
        window_s: int,
        offset_s: int | None = None,
        allowance_ucr: int = 0,
        decay_permille: int | None = None,
        cap_allowances: int | None = None,
        warn_permille: int = 800,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Give an account or a project a budget, or other terms for the one it has (docs/budgets.md).

        In each window of `window_s` seconds (60 to 366 days) awards may cost and open bids may hold `limit_ucr`
        together (None: no limit). A window starts `offset_s` seconds after the epoch's multiples of its length (None:
        drawn by the scope). Its start gives `allowance_ucr`, which a project's accounts share; its end takes
        `decay_permille` of what an account had on average, held credits included, and of what is free then what
        exceeds `cap_allowances` allowances (0: no cap). Without an allowance, neither is the default. The market warns
        at `warn_permille` of the limit.
        """
        account, project = _scope(scope)
        command = c.SetBudget(
            account=account,
            project=project,
            limit_ucr=limit_ucr,
            allowance_ucr=allowance_ucr,
            window_ms=window_s * 1000,
            offset_ms=None if offset_s is None else offset_s * 1000,
            decay_permille=DECAY_PERMILLE * bool(allowance_ucr) if decay_permille is None else decay_permille,
            cap_allowances=CAP_ALLOWANCES * bool(allowance_ucr) if cap_allowances is None else cap_allowances,
            warn_permille=warn_permille,
        )
        await self._send(command, timeout_s)

    async def clear_budget(self, scope: Scope, *, timeout_s: float = TIMEOUT_S) -> None:
        """End the budget of an account or a project."""
        await self._send(c.ClearBudget(*_scope(scope)), timeout_s)

    async def top_up(self, scope: Scope, amount_ucr: int, *, timeout_s: float = TIMEOUT_S) -> None:
        """Raise the limit of a budget for the window that runs now. Credits are issued by `issue`."""
        await self._send(c.TopUpBudget(*_scope(scope), amount_ucr), timeout_s)

    async def create_pool(self, name: str, owner: Account, units: int, *, timeout_s: float = TIMEOUT_S) -> None:
        """Create a pool of `units` interchangeable units, which `owner` may offer."""
        await self._send(c.CreatePool(name, id_of(owner), units), timeout_s)

    async def resize_pool(self, name: str, units: int, *, timeout_s: float = TIMEOUT_S) -> None:
        """Change the capacity of a pool from now on."""
        await self._send(c.ResizePool(name, units), timeout_s)

    async def set_weight(self, account: Account, weight_permille: int, *, timeout_s: float = TIMEOUT_S) -> None:
        """Set the weight of an account in the rankings of CFPs that open later (500 to 1000). All accounts of a budget
        root count by the least of theirs."""
        await self._send(c.SetWeight(id_of(account), weight_permille), timeout_s)

    async def register_key(
        self,
        account: Account,
        signing_key: bytes,
        *,
        expires_at_ms: int | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Let another public key sign for an account; until market time `expires_at_ms`, if that is given."""
        await self._send(c.RegisterKey(id_of(account), signing_key, expires_at_ms), timeout_s)

    async def revoke_key(self, account: Account, signing_key: bytes, *, timeout_s: float = TIMEOUT_S) -> None:
        """End a key for ever."""
        await self._send(c.RevokeKey(id_of(account), signing_key), timeout_s)


class Operator(Rotating):
    """The operator of a market: it opens the market, and switches the version of its rules."""

    role = Role.OPERATOR

    def prepare_market(self, bank_key: bytes, *, signed: bool = True, rules_version: int = RULES_VERSION) -> Sealed:
        """Seal the genesis of the market. Its hash is `hashlib.sha256(sealed.value)`."""
        keys = self.credential.keys
        command = c.OpenMarket(bank_key, self.connection.partitions, rules_version, signed)
        sequence = self.connection.next_sequence(keys.public)
        return seal(command, market=self.connection.market, genesis=NO_GENESIS, keys=keys, sequence=sequence)

    async def open_market(
        self,
        bank: KeyPair | None = None,
        bank_path: str | Path | None = None,
        *,
        signed: bool = True,
        rules_version: int = RULES_VERSION,
        timeout_s: float = TIMEOUT_S,
    ) -> Credential:
        """Open the market, and return the credential of its bank, written to `bank_path` before the market hears of it.

        `bank` is the bank's key pair (None: a new one). A market without signatures is for development only: anybody
        who reaches the broker can then act in anybody's name.
        """
        keys = bank or KeyPair.generate()
        sealed = self.prepare_market(keys.public, signed=signed, rules_version=rules_version)
        credential = Credential(
            role=Role.BANK,
            market=self.connection.market,
            name="bank",
            keys=keys,
            operator=fingerprint(self.credential.keys.public),
            genesis=hashlib.sha256(sealed.value).digest(),
            account=sealed.command_id,
            partitions=self.connection.partitions,
        )
        if bank_path is not None:
            save(credential, bank_path)
        try:
            await self.submit(sealed, timeout_s)
        except RejectedError:
            if bank_path is not None:
                Path(bank_path).unlink(missing_ok=True)
            raise
        self.credential = replace(self.credential, genesis=credential.genesis)
        return credential

    async def rotate_key(self, path: str | Path | None, *, timeout_s: float = TIMEOUT_S) -> None:
        """Replace the operator's key in this market; the new credential goes to `path`, a file that is not there yet.

        The old file stays what it is: its key signed the genesis, which workers, verify and other markets go on to
        trust. In this market it signs nothing any more. After a crash, `connect` with the new file finishes. A key that
        was rotated before is replaced in its own file, where `path` is None. Where the market rejects it, no file is
        left.
        """
        if path is None and fingerprint(self.credential.keys.public) == self.credential.operator:
            raise CredentialError("the operator's first key stays in its file: name a new one for the key after it")
        if path is None:
            await self._rotate(None, timeout_s)
            return
        if Path(path).exists():
            raise CredentialError(f"{path} exists: name a new file for the key that replaces the operator's")
        self._path = Path(path)
        try:
            await self._rotate(None, timeout_s)
        except RejectedError:
            Path(path).unlink(missing_ok=True)
            raise

    async def register_bank_key(self, bank: Account, signing_key: bytes, *, timeout_s: float = TIMEOUT_S) -> None:
        """Let another public key sign for the bank, whose own was lost or has expired."""
        await self._send(c.RegisterKey(id_of(bank), signing_key), timeout_s)

    async def set_priority(self, account: Account, system: bool = True, *, timeout_s: float = TIMEOUT_S) -> None:
        """Make an account a System agent, which may draw tokens of any pool at once and for nothing, or end that."""
        await self._send(c.SetPriority(id_of(account), system), timeout_s)

    async def set_policy(
        self,
        *,
        issue_limit_ucr: int | None = None,
        issue_window_s: int = 24 * 3600,
        round_fee_ucr: int = 0,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Bound what the bank issues, and set what an offer in a negotiation costs (docs/guards.md).

        In each window of `issue_window_s` seconds (60 to 366 days) the bank issues at most `issue_limit_ucr`, the
        allowances of budgets included (None: no limit); more is refused with ISSUE_EXCEEDED. Each offer costs its party
        `round_fee_ucr`, which goes to the bank.
        """
        await self._send(c.SetPolicy(issue_limit_ucr, issue_window_s * 1000, round_fee_ucr), timeout_s)

    async def set_deposit(self, hourly_permille: int, *, floor_ucr: int = 0, timeout_s: float = TIMEOUT_S) -> None:
        """Let managers deposit so many thousandths of the reserve, and where they buy of the bond, for each slot and
        each hour that bids may be bound for (docs/guards.md); 0: none. It pays bidders whom a call did not serve; calls
        that are open keep theirs. `floor_ucr` is what a unit counts for in an hour of the lease at least, whatever the
        reserve is."""
        await self._send(c.SetDeposit(hourly_permille, floor_ucr), timeout_s)

    async def set_resale_call(self, call_s: float, *, timeout_s: float = TIMEOUT_S) -> None:
        """Let each lease that is bargained for be called for at the agreed price before it moves, for so many seconds,
        0.05 to 60 (docs/negotiations.md); 0: a deal moves it at once. Calls that are open keep their time."""
        await self._send(c.SetResaleCall(round(call_s * 1000)), timeout_s)

    async def activate_rules(self, version: int, *, timeout_s: float = TIMEOUT_S) -> None:
        """Switch the market to another version of the rules."""
        await self._send(c.ActivateRules(version), timeout_s)

    def _genesis(self) -> bytes:
        return self.credential.genesis or self.connection.genesis


def _scope(scope: Scope) -> tuple[bytes | None, str]:
    return (None, scope) if isinstance(scope, str) else (id_of(scope), "")


def operator_credential(market: str, name: str = "operator", keys: KeyPair | None = None) -> Credential:
    """A new operator's credential for a market that is yet to be opened."""
    keys = keys or KeyPair.generate()
    return Credential(role=Role.OPERATOR, market=market, name=name, keys=keys, operator=fingerprint(keys.public))
