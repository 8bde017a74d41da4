"""`enroll` and `pool create`: what the bank does. Needs no services, only the bank's credential file."""

from __future__ import annotations

import asyncio
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from contractnet.cli.root import Where, app, out, where
from contractnet.credentials import Credential, load
from contractnet.errors import CredentialError, RejectedError, SettingsError
from contractnet.messages import Code
from contractnet.money import credits as ucr_of
from contractnet.settings import embedded_bootstrap

CONNECT_S = 8.0
# The bank only sends: what happened before it connected does not matter to it.
LOOK_BACK_S = 5.0
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
) -> None:
    """Open an account, issue credits to it, and write its credential file (mode 0600)."""
    here = where(ctx)
    amount_ucr = _amount(credits)
    path = out_file or here.directory.agent(name)
    if path.exists():
        raise CredentialError(
            f"{path} exists already, and a credential is never overwritten. Choose another --out, or remove it."
        )
    made = asyncio.run(_enroll(here, name, project, amount_ucr, path))
    assert made.account is not None
    out.print(f"account {escape(name)} ({made.account.hex()}) of project {escape(project)}, {credits} credits")
    out.print(f"credential: {escape(str(path))} (keep it secret)", soft_wrap=True)


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
    asyncio.run(_create_pool(here, name, _account(here, owner), units))
    out.print(f"pool {escape(name)}: {units} units, owner {escape(owner)}")


async def _enroll(here: Where, name: str, project: str, amount_ucr: int, path: Path) -> Credential:
    from contractnet.client import Bank

    address = here.bootstrap()
    # A credential of the embedded broker's market finds it through the data directory.
    hint = None if address == embedded_bootstrap(here.directory.path) else address
    async with Bank.connect(bank_credential(here), address, look_back_s=LOOK_BACK_S, timeout_s=CONNECT_S) as bank:
        made = await _answered(bank.enroll(name, project, path, bootstrap_hint=hint), f"the account {name!r}")
        assert isinstance(made, Credential)
        assert made.account is not None
        if amount_ucr:
            await _answered(bank.issue(made.account, amount_ucr, "enrolled"), f"the credits of {name!r}")
        return made


async def _create_pool(here: Where, name: str, owner: bytes, units: int) -> None:
    from contractnet.client import Bank

    async with Bank.connect(
        bank_credential(here), here.bootstrap(), look_back_s=LOOK_BACK_S, timeout_s=CONNECT_S
    ) as bank:
        await _answered(bank.create_pool(name, owner, units), f"the pool {name!r}")


async def _answered(asked: object, what: str) -> object:
    """The answer to a command, its rejection in words that name what was asked for."""
    import inspect

    assert inspect.isawaitable(asked)
    try:
        return await asked
    except RejectedError as error:
        hint = {
            Code.NAME_TAKEN: "Choose another name.",
            Code.UNKNOWN_KEY: "The bank's credential file belongs to another market.",
        }
        raise SettingsError(f"The market rejected {what}. {error}. {hint.get(error.code, '')}".rstrip()) from error


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


def _account(here: Where, owner: str) -> bytes:
    """The account id behind an enrolled name, a credential file, or the id itself in hex."""
    for path in (here.directory.agent(owner), Path(owner)):
        if path.is_file():
            account = load(path).account
            if account is not None:
                return account
    try:
        account = bytes.fromhex(owner)
    except ValueError:
        account = b""
    if len(account) != 16:
        raise SettingsError(
            f"{owner!r} is neither an account enrolled here ({here.directory.agent(owner)}), nor a credential file, "
            f"nor an account id of 32 hex digits. Enroll it first: contractnet enroll {owner} --project PROJECT"
        )
    return account


def _amount(text: str) -> int:
    try:
        amount_ucr = ucr_of(Decimal(text))
    except (InvalidOperation, ValueError) as error:
        raise SettingsError(f"--credits {text!r} is no amount: write 100 or 2.5, at most six decimals.") from error
    if amount_ucr < 0:
        raise SettingsError(f"--credits {text!r} is negative: write 0 or more.")
    return amount_ucr
