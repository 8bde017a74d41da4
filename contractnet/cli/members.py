"""`enroll` and `pool create`, and how bank and operator ask a market. Needs no services, only a credential file."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.markup import escape

from contractnet.access import Access, load_access, own_access
from contractnet.cli.lazy import service
from contractnet.cli.root import Where, app, need_path, out, where
from contractnet.credentials import Credential, fingerprint, load
from contractnet.errors import CredentialError, OutcomeTimeoutError, QueryError, RejectedError, SettingsError
from contractnet.messages import Code
from contractnet.messages.names import NAME_BYTES_MAX, name_problem
from contractnet.money import credits as ucr_of
from contractnet.settings import embedded_bootstrap
from contractnet.terminal import printable

if TYPE_CHECKING:
    from contractnet.client import Bank, Operator

T = TypeVar("T")
CONNECT_S = 8.0
# The bank only sends: what happened before it connected does not matter to it.
LOOK_BACK_S = 5.0
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")
ID_BYTES = 16
# Characters of a wrong text that an error repeats.
_SHOWN = 40
_ISSUE_EXCEEDED = (
    "The account is open without credits, and its credential file is {}. `contractnet policy show` says what the bank "
    "may issue, and from when on more."
)
pool = typer.Typer(no_args_is_help=True, help="Pools of resources: kinds of GPUs, each with a number of units.")
app.add_typer(pool, name="pool")


@app.command(
    epilog="Examples:  contractnet enroll ada --project vision --credits 100   |   "
    "contractnet enroll bob --project nlp --credits 2.5 --out bob.json"
)
def enroll(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the new account.")],
    project: Annotated[str, typer.Option(help="Project that the account's spending is attributed to.")],
    credits: Annotated[str, typer.Option(help="Credits to issue, such as 100 or 2.5.")] = "0",
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Where to write the credential file.", show_default="<data>/agents")
    ] = None,
    access: Annotated[
        Path | None,
        typer.Option(
            help="Access file of a user that the cluster's administrator made for it.", show_default="a new user"
        ),
    ] = None,
) -> None:
    """Open an account, issue credits to it, and write its credential file (mode 0600)."""
    here = where(ctx)
    here.act_as("operator")
    kafka = None if access is None else load_access(access)
    amount_ucr = amount_of(credits, "--credits")
    check_name(name, "the account's name")
    check_name(project, "--project")
    path = out_file or here.directory.agent(name)
    need_path(path, "--out")
    if path.exists():
        raise CredentialError(
            f"{path} exists already, and a credential is never overwritten. Choose another --out, or remove it."
        )
    made = asyncio.run(_enroll(here, name, project, amount_ucr, path, kafka))
    assert made.account is not None
    out.print(
        f"account {escape(name)} ({made.account.hex()}) of project {escape(project)}, {credits} credits", soft_wrap=True
    )
    out.print(f"credential: {escape(printable(str(path)))} (keep it secret)", soft_wrap=True)


@pool.command(epilog="Example:  contractnet pool create h100 --owner ada --units 8")
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the pool.")],
    owner: Annotated[
        str, typer.Option(help="Account that sells the pool's slots: an enrolled name, a credential file, or an id.")
    ],
    units: Annotated[int, typer.Option(help="How many interchangeable units it has.", min=1)],
) -> None:
    """Create a pool and name the account that may call for proposals for it."""
    here = where(ctx)
    here.act_as("operator")
    check_name(name, "the pool's name")
    taken = "Choose another name: a demo in the same directory makes pools h200, h100, a100, l4 and cloud-1 to -3."
    account = account_id(here, owner)
    ask_bank(here, lambda bank: bank.create_pool(name, account, units), f"the pool {name!r}", {Code.NAME_TAKEN: taken})
    out.print(f"pool {escape(name)}: {units} units, owner {escape(printable(owner))}")


async def _enroll(
    here: Where, name: str, project: str, amount_ucr: int, path: Path, kafka: Access | None
) -> Credential:
    from contractnet.client import Bank

    member = bank_credential(here)
    address = here.bootstrap()
    made_user = None if kafka is not None else await asyncio.to_thread(new_user, address)
    # A credential of the embedded broker's market finds it through the data directory.
    hint = None if address == embedded_bootstrap(here.directory.path) else address
    async with Bank.connect(member, address, look_back_s=LOOK_BACK_S, timeout_s=CONNECT_S) as bank:
        asked = bank.enroll(name, project, path, bootstrap_hint=hint, kafka=kafka or made_user)
        try:
            made = await answered(asked, f"the account {name!r}", {Code.NAME_TAKEN: "Choose another name."})
        except SettingsError:
            await asyncio.to_thread(_forget, address, made_user)
            raise
        assert made.account is not None
        if amount_ucr:
            hints = {Code.ISSUE_EXCEEDED: _ISSUE_EXCEEDED.format(path)}
            await answered(bank.issue(made.account, amount_ucr, "enrolled"), f"the credits of {name!r}", hints)
        return made


def new_user(bootstrap: str) -> Access | None:
    """What a new user of the broker shows it; None where there is no access control. Raises AccessRefusedError."""
    from contractnet.principals import Principals

    return None if own_access().user is None else Principals(bootstrap).new_agents(1)[0]


def _forget(bootstrap: str, made: Access | None) -> None:
    from contractnet.principals import Principals

    if made is not None and made.user is not None:
        Principals(bootstrap).remove(made.user)


def ask_bank(
    here: Where,
    ask: Callable[[Bank], Awaitable[T]],
    what: str,
    hints: Mapping[Code, str] | None = None,
    then: str | None = None,
) -> T:
    """What the bank of the data directory asks the market for, its refusal and silence as `answered` tells them."""

    async def asked() -> T:
        from contractnet.client import Bank

        member, address = bank_credential(here), here.bootstrap()
        async with Bank.connect(member, address, look_back_s=LOOK_BACK_S, timeout_s=CONNECT_S) as bank:
            return await answered(ask(bank), what, hints, then)

    return asyncio.run(asked())


def ask_operator(
    here: Where, ask: Callable[[Operator], Awaitable[T]], what: str, hints: Mapping[Code, str] | None = None
) -> T:
    """The same for the operator of the market."""

    async def asked() -> T:
        from contractnet.client import Operator

        member = operator_credential(here)
        # Without a bank's file beside it, connecting reads all notices of the market, which may take a while.
        async with Operator.connect(member, here.bootstrap(), look_back_s=LOOK_BACK_S) as operator:
            return await answered(ask(operator), what, hints)

    return asyncio.run(asked())


async def answered(
    asked: Awaitable[T], what: str, hints: Mapping[Code, str] | None = None, then: str | None = None
) -> T:
    """The answer to a command; its rejection in words: `what` was asked for, and what to do about each code.

    Where a market is silent, it is told with what to do `then`, if that is given.
    """
    try:
        return await asked
    except OutcomeTimeoutError as error:
        if then is None:
            raise
        raise OutcomeTimeoutError(
            f"The market has not answered command {error.command_id.hex()} in time: is it up (`contractnet status`)? "
            f"{then}",
            error.command_id,
            error.sealed,
        ) from error
    except RejectedError as error:
        known = {Code.UNKNOWN_KEY: "The bank's credential file belongs to another market.", **(hints or {})}
        raise SettingsError(f"The market rejected {what}. {error}. {known.get(error.code, '')}".rstrip()) from error


def bank_credential(here: Where) -> Credential:
    """The bank's credential of the data directory. Raises CredentialError, DataDirectoryError."""
    here.directory.check()
    path = here.directory.bank(here.market)
    if not path.is_file():
        raise CredentialError(
            f"There is no bank credential {path}. Start the market with `contractnet up` first, or give the data "
            f"directory of the market whose bank you are (--data, --market)."
        )
    return load(path)


def operator_credential(here: Where) -> Credential:
    """The operator of the market: its rotated key where there is one. Raises CredentialError, DataDirectoryError."""
    here.directory.check()
    path, rotated = here.directory.newest_operator(here.market), here.directory.operator_of(here.market)
    if not path.is_file():
        raise CredentialError(
            f"There is no operator's credential {path}, nor {rotated}, where the key was rotated. "
            f"Put back the copy of the last one, or give the data directory of the market whose operator you "
            f"are (--data). The market runs on without it; where there is no copy: docs/security.md, 'Moving to a new "
            f"operator'."
        )
    return in_market(here, load(path))


def in_market(here: Where, operator: Credential) -> Credential:
    """The operator's first key serves all its markets: the command line names one. A rotated key serves its own."""
    if fingerprint(operator.keys.public) != operator.operator:
        return operator
    bank = here.directory.bank(here.market)
    # Without it, all notices of the market are read to find the genesis.
    genesis = load(bank).genesis if bank.is_file() else None
    return replace(operator, market=here.market, genesis=genesis)


def credential_file(here: Where, owner: str) -> Path | None:
    """The credential file behind an enrolled name or a path."""
    # Not Path.is_file, which raises where the text is too long for a path.
    return next((path for path in (here.directory.agent(owner), Path(owner)) if os.path.isfile(path)), None)


def account_id(here: Where, owner: str) -> bytes:
    """The account id behind an enrolled name, a credential file, the id itself in hex, or the name of an account in the
    market's published ledger, wherever its credential is."""
    path = credential_file(here, owner)
    if path is not None and (held := load(path).account) is not None:
        return held
    try:
        account = bytes.fromhex(owner)
    except ValueError:
        account = b""
    if len(account) == ID_BYTES:
        return account
    if (published := _published_id(here, owner)) is not None:
        return published
    shown = owner[:_SHOWN]
    raise SettingsError(
        f"{shown!r} is neither an account enrolled here ({here.directory.agents}), nor a credential file, nor an "
        f"account id of 32 hex digits, nor the name of one in the published ledger, which has new ones within seconds. "
        f"`contractnet key list` shows the ids of all accounts; a new one is made by: contractnet enroll {shown} "
        f"--project PROJECT"
    )


def _published_id(here: Where, name: str) -> bytes | None:
    """The id of an account by its name; None where no ledger is published here, or it has no such account."""
    try:
        ident: bytes | None = service("analytics.balances").id_of(here.directory.path, here.market, name)
    except (QueryError, SettingsError):
        return None
    return ident


def check_name(name: str, what: str, bytes_max: int = NAME_BYTES_MAX, *, empty: bool = False) -> None:
    """Raise SettingsError for a text that no name in a market may be; `what` it was meant for."""
    problem = name_problem(name, bytes_max, empty=empty)
    if problem is not None:
        raise SettingsError(f"{what} {name[:_SHOWN]!r} can't be used: {problem}.")


def amount_of(text: str, option: str) -> int:
    """Micro-credits of an amount of credits. Raises SettingsError, which names the option."""
    if _AMOUNT.fullmatch(text) is None:
        raise SettingsError(f"{option} {text[:_SHOWN]!r} is no amount: write 100 or 2.5, at most six decimals.")
    try:
        return ucr_of(text)
    except ValueError as error:
        raise SettingsError(f"{option} {text!r} is too much: {error}.") from error
