"""The accounts and pools of a run: made once in a data directory, then used again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, replace

from contractnet.access import Access, own_access
from contractnet.cli.directory import DataDirectory
from contractnet.client import Bank, Connection, Operator
from contractnet.credentials import Credential, access_of_file, load
from contractnet.errors import CredentialError, RejectedError, SettingsError
from contractnet.messages import Code
from contractnet.money import credits_text
from contractnet.principals import Principals
from services.demo.demand import BUDGETED, CHAT, CHAT_BURST_S, CLOUD_UNITS, CLOUDS, ONCALL, POOLS, WARN_PERMILLE, names
from services.quotas import set_shares

MANAGERS_PROJECT = "operations"
MANAGERS_UCR = 100_000_000
"""What each manager gets: where the operator wants deposits, it has to have them."""
PROVIDER = "provider"
"""Owns the token pool."""
CHAT_TERMS: dict[str, int] = {"reserve_permille": 250, "interval_s": 1, "grant_s": 5}
BUDGET_S = 24 * 3600
"""The window of budgets: longer than a run."""
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Credential files by name, and the market's genesis hash. `oncall` is the System agent's file, "" for none;
    `budgets` what the bank lets agents spend."""

    genesis: bytes
    members: dict[str, str]
    managers: dict[str, str]
    contractors: dict[str, str]
    oncall: str
    budgets: dict[str, int]


async def enrol(
    directory: DataDirectory,
    bootstrap: str,
    market: str,
    agents: int,
    allowance_ucr: int,
    tokens_per_minute: int,
    budgets: tuple[int, dict[str, int]],
) -> Enrolled:
    """Accounts with credits for all agents, contractors and managers, and pools; a token pool where there is a rate for
    it. Raises SettingsError, CredentialError."""
    # All notices are read, so that it is known which pools there are.
    async with Connection.open(bootstrap, market=market) as connection:
        bank_file = directory.bank(market)
        if not bank_file.is_file():
            raise CredentialError(
                f"There is no bank credential {bank_file}: run this where `contractnet up` runs (--data)."
            )
        bank = Bank(connection, load(bank_file))
        desk = _Desk(directory, connection, bank)
        managers = {pool.name: f"manager-{pool.name}" for pool in POOLS}
        paid = dict.fromkeys([*names(agents), *CLOUDS], allowance_ucr) | dict.fromkeys(managers.values(), MANAGERS_UCR)
        served = dict.fromkeys(CLOUDS, "clouds") | dict.fromkeys(
            [*managers.values(), PROVIDER, ONCALL], MANAGERS_PROJECT
        )
        projects = {**names(agents), **served}
        desk.check_pools({**managers, **{name: name for name in CLOUDS}})
        await asyncio.to_thread(desk.make_users, projects)
        await _gathered(desk.account(name, project) for name, project in projects.items())
        await _pay(bank, {desk.id_of(name): amount_ucr for name, amount_ucr in paid.items()})
        for pool in POOLS:
            await desk.pool(pool.name, managers[pool.name], pool.units)
        for name in CLOUDS:
            await desk.pool(name, name, CLOUD_UNITS)
        await desk.budgets(*budgets)
        oncall = tokens_per_minute > 0 and await desk.token_pool(tokens_per_minute)
        return Enrolled(
            connection.genesis,
            {name: str(directory.agent(name)) for name in names(agents)},
            {pool: str(directory.agent(manager)) for pool, manager in managers.items()},
            {name: str(directory.agent(name)) for name in CLOUDS},
            str(directory.agent(ONCALL)) if oncall else "",
            budgets[1],
        )


async def _pay(bank: Bank, amounts_ucr: Mapping[bytes, int]) -> None:
    try:
        await _gathered(bank.issue(account, ucr, "allowance for a run") for account, ucr in amounts_ucr.items())
    except RejectedError as error:
        if error.code is not Code.ISSUE_EXCEEDED:
            raise
        wanted = credits_text(sum(amounts_ucr.values()))
        raise SettingsError(
            f"The run needs {wanted} credits for its {len(amounts_ucr)} accounts, and the operator's policy leaves the "
            f"bank less: `contractnet policy show` says how much; `contractnet policy set --issue-limit none` ends "
            f"the limit."
        ) from error


def share_quotas(bootstrap: str, groups: Iterable[list[str]]) -> None:
    """Let the user of the first credential file of each group write for all of them, where there is access control."""
    if own_access().user is None:
        return
    shares = {}
    for group in groups:
        access = access_of_file(group[0])
        if access is not None and access.user is not None:
            shares[access.user] = len(group)
    set_shares(bootstrap, own_access(), shares)


class _Desk:
    def __init__(self, directory: DataDirectory, connection: Connection, bank: Bank) -> None:
        self._directory = directory
        self._connection = connection
        self._bank = bank
        self._found: dict[str, Credential] = {}
        self._users: dict[str, Access] = {}

    def id_of(self, name: str) -> bytes:
        account = self._found[name].account
        assert account is not None
        return account

    def make_users(self, names: Iterable[str]) -> None:
        """Users of the broker for those who have no credential yet, where it has access control."""
        fresh = [name for name in names if self._known(name) is None]
        if fresh and own_access().user is not None:
            self._users = dict(zip(fresh, Principals(self._connection.bootstrap).new_agents(len(fresh)), strict=True))

    def _known(self, name: str) -> Credential | None:
        path = self._directory.agent(name)
        known = load(path) if path.is_file() else None
        return known if known is not None and known.genesis == self._connection.genesis else None

    def check_pools(self, managers: Mapping[str, str]) -> None:
        """Before anything is made: a pool that there is belongs to its manager here. Raises SettingsError."""
        for name, manager in managers.items():
            if name in self._connection.pools and self._known(manager) is None:
                raise SettingsError(
                    f"The market has a pool {name!r} that somebody else manages. Run the demo in another data "
                    f"directory (--data) or market (--market)."
                )

    async def account(self, name: str, project: str) -> None:
        path = self._directory.agent(name)
        if (known := self._known(name)) is not None:
            self._found[name] = known
            return
        try:
            self._found[name] = await self._bank.enroll(name, project, path, kafka=self._users.get(name))
        except RejectedError as error:
            if error.code is not Code.NAME_TAKEN:
                raise
            raise SettingsError(
                f"The market has an account {name!r} already, but {path} is not there. Put the credential back, or run "
                f"the demo in another data directory (--data)."
            ) from error

    async def pool(self, name: str, manager: str, units: int) -> None:
        known = self._connection.pools.get(name)
        if known is None:
            await self._bank.create_pool(name, self.id_of(manager), units)
        elif known != units:
            await self._bank.resize_pool(name, units)

    async def budgets(self, limit_ucr: int, agents_ucr: Mapping[str, int]) -> None:
        """What a project may spend in this run, and each of its agents: new budgets, of which nothing is spent yet."""
        scopes: dict[bytes | str, int] = {self.id_of(name): ucr for name, ucr in agents_ucr.items()}
        if scopes:
            scopes[BUDGETED] = limit_ucr
        await _gathered(self._budget(scope, ucr) for scope, ucr in scopes.items())

    async def _budget(self, scope: bytes | str, limit_ucr: int) -> None:
        try:
            await self._bank.clear_budget(scope)
        except RejectedError as error:
            if error.code is not Code.UNKNOWN_BUDGET:
                raise
        await self._bank.set_budget(scope, limit_ucr, window_s=BUDGET_S, warn_permille=WARN_PERMILLE)

    async def token_pool(self, tokens_per_minute: int) -> bool:
        """The token pool with this rate, and its System agent; whether the operator was there to make it one."""
        burst = max(1, round(tokens_per_minute / 60 * CHAT_BURST_S))
        try:
            await self._bank.create_token_pool(
                CHAT, self.id_of(PROVIDER), tokens_per_minute=tokens_per_minute, burst_tokens=burst, **CHAT_TERMS
            )
        except RejectedError as error:
            if error.code is not Code.NAME_TAKEN:
                raise
            await self._bank.resize_token_pool(
                CHAT, tokens_per_minute=tokens_per_minute, burst_tokens=burst, **CHAT_TERMS
            )
        file = self._directory.newest_operator(self._connection.market)
        if not file.is_file():
            return False
        credential = replace(load(file), market=self._connection.market, genesis=self._connection.genesis)
        await Operator(self._connection, credential).set_priority(self.id_of(ONCALL))
        return True


async def _gathered(work: Iterable[Awaitable[object]]) -> None:
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(item: Awaitable[object]) -> None:
        async with limit:
            await item

    await asyncio.gather(*(one(item) for item in work))
