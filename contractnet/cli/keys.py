"""`key`: the signing keys of agents, bank and operator. All but `list` need no services, only a credential file."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from contractnet.cli.durations import seconds_of
from contractnet.cli.members import (
    CONNECT_S,
    LOOK_BACK_S,
    account_id,
    answered,
    bank_credential,
    credential_file,
    in_market,
    operator_credential,
)
from contractnet.cli.program import program
from contractnet.cli.published import show_published
from contractnet.cli.root import Where, app, need_path, out, public_key, where
from contractnet.credentials import Credential, Role, load, save
from contractnet.errors import CredentialError, SettingsError
from contractnet.messages import Code, Command
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from contractnet.terminal import printable

if TYPE_CHECKING:
    from contractnet.client.rotation import Rotating

# Characters of a wrong text that an error repeats.
_SHOWN = 40
_HINTS = {
    Code.KEY_TAKEN: "A market takes each key once, also after it was revoked: make another with `contractnet key new`.",
    Code.LAST_KEY: "Or register another one first: `contractnet key new`, then `contractnet key register`.",
    Code.REVOKED_KEY: "It is the key of the file that signed. Make another with `contractnet key new`; then the bank "
    "registers it with `contractnet key register`, and the operator the bank's (--bank).",
    Code.UNKNOWN_KEY: "The key to revoke is no live one of that account, or the one that signs is none of this "
    "market: `contractnet key list` shows them.",
    Code.NOT_OWNER: "--own serves the file's own account, --bank the bank's only: `contractnet key list` has the ids.",
    Code.UNKNOWN_ACCOUNT: "`contractnet key list` shows the accounts with their ids.",
    Code.LIMIT_REACHED: "An account has at most 64 keys in its life: open another one.",
    Code.UNKNOWN_RULES: "Keys expire from rules version 3 on.",
}
key = typer.Typer(no_args_is_help=True, help="Signing keys: which hold, and how they are replaced, added and ended.")
app.add_typer(key, name="key")

_OPERATOR_HINTS = _HINTS | {
    Code.REVOKED_KEY: "Another key has replaced that of this file in this market: the one that holds is in the file "
    "that `contractnet key rotate` wrote then, keys/operator-<market>.json. Nobody can register a key for the "
    "operator; where that file is lost, or the other key is a thief's: docs/security.md, 'Moving to a new operator'.",
}
ExpiresIn = Annotated[
    str | None,
    typer.Option(help="When the new key ends, from now: 90m, 12h, 30d, 8w.", show_default="never"),
]
ExpiresAt = Annotated[
    str | None,
    typer.Option(help="When it ends: 2030-01-31 or 2030-01-31T12:00+01:00; UTC unless it says.", show_default="never"),
]
Account = Annotated[str, typer.Argument(help="Whose key: an enrolled name, a credential file, or an account id.")]
KeyHex = Annotated[str, typer.Argument(metavar="KEY_HEX", help="The public key, 64 hex digits.")]
Own = Annotated[bool, typer.Option("--own", help="ACCOUNT is the holder's credential file; sign with its key.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@key.command(name="list", epilog="Examples:  contractnet key list   |   contractnet key list --account ann")
def show(
    ctx: typer.Context,
    account: Annotated[
        str | None, typer.Option(help="Name or id of one account.", show_default="all, and the operator")
    ] = None,
) -> None:
    """Print keys and whether they are valid, expired or revoked, as the published ledger has them.

    Expiry is compared with this machine's clock; the market judges by its own time.
    """
    show_published(where(ctx), "analytics.keys", account)


@key.command(epilog="Example:  contractnet key new ann.json --out ann-2.json   (then: contractnet key register ...)")
def new(
    file: Annotated[Path, typer.Argument(help="Credential file of an agent or the bank.")],
    out_file: Annotated[Path, typer.Option("--out", help="Where to write the copy.")],
) -> None:
    """Write a copy of a credential file that has a new key, for `key register`. The market hears nothing of it."""
    credential = load(file)
    if credential.account is None:
        raise SettingsError("The operator has one key at a time: `contractnet key rotate` replaces it.")
    _need_new(out_file)
    fresh = credential.with_keys(KeyPair.generate())
    save(fresh, out_file)
    public = fresh.keys.public.hex()
    out.print(f"credential: {_text(out_file)} (keep it secret), key {public}", soft_wrap=True)
    out.print(
        f"The market does not know it yet: {program()} key register {credential.account.hex()} {public}", soft_wrap=True
    )


@key.command(
    epilog="Examples:  contractnet key rotate ann.json --expires-in 30d   |   "
    "contractnet key rotate .contractnet/keys/operator.json"
)
def rotate(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="Credential file of an agent, the bank, or the operator.")],
    expires_in: ExpiresIn = None,
    expires_at: ExpiresAt = None,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="The operator's only: where the new credential goes.",
            show_default="keys/operator-<market>.json",
        ),
    ] = None,
    yes: Yes = False,
) -> None:
    """Replace the key of a credential file by a new one, in the market and in the file, in one step.

    What still runs with the old key is refused from then on: start it again. After a crash, the same command finishes.
    The operator's first key is replaced in one market, and in a new file: the old one goes on to open and prove
    markets. From then on `key rotate keys/operator-<market>.json` replaces that one, in that file.
    """
    here = where(ctx)
    here.act_as("operator")
    end_ms = _end_ms(expires_in, expires_at)
    credential = load(file)
    if credential.role is Role.OPERATOR:
        if end_ms is not None:
            raise SettingsError(
                "The operator's key does not expire, since nobody could renew it: leave the option out."
            )
        _rotate_operator(here, file, in_market(here, credential), out_file, yes)
        return
    if out_file is not None:
        raise SettingsError("--out is for the operator's key only: that of an agent or the bank stays in its file.")
    begun = credential.pending
    asked = _rotate(here, file, credential, end_ms)
    made = asyncio.run(answered(asked, f"the new key of {file}", _HINTS, "Run it again."))
    _tell_rotated(file, credential, made, end_ms if begun is None else begun.expires_at_ms)


@key.command(
    epilog="Examples:  contractnet key register ann 1f0c...64 hex digits --expires-in 30d   |   "
    "contractnet key register .contractnet/keys/bank-default.json 1f0c... --bank"
)
def register(
    ctx: typer.Context,
    account: Account,
    key_hex: KeyHex,
    expires_in: ExpiresIn = None,
    expires_at: ExpiresAt = None,
    own: Own = False,
    bank: Annotated[
        bool, typer.Option("--bank", help="ACCOUNT is the bank, whose key is lost; sign with the operator's key.")
    ] = False,
) -> None:
    """Let one more key sign for an account: as the bank of the data directory, the holder, or the operator."""
    here = where(ctx)
    here.act_as("operator")
    public, end_ms = public_key(key_hex, "KEY_HEX"), _end_ms(expires_in, expires_at)
    if own and bank:
        raise SettingsError("--own and --bank exclude each other: choose one.")
    file = _holder(here, account) if own else None
    signer = load(file) if file is not None else operator_credential(here) if bank else bank_credential(here)
    who = account_id(here, account)
    ident = asyncio.run(_send(here, signer, file, c.RegisterKey(who, public, end_ms), f"the key {public.hex()}"))
    out.print(
        f"account {who.hex()}: key {public.hex()} is registered, {_ends(end_ms)}; command {ident.hex()}", soft_wrap=True
    )


@key.command(
    epilog="Examples:  contractnet key revoke ann 1f0c...64 hex digits   |   "
    "contractnet key revoke ann.json 1f0c... --own --yes"
)
def revoke(ctx: typer.Context, account: Account, key_hex: KeyHex, own: Own = False, yes: Yes = False) -> None:
    """End a key for ever, at once: as the bank of the data directory, or as the holder. What it signed stands."""
    here = where(ctx)
    here.act_as("operator")
    public = public_key(key_hex, "KEY_HEX")
    file = _holder(here, account) if own else None
    signer, who = bank_credential(here) if file is None else load(file), account_id(here, account)
    itself = " It is the very key that signs this." if signer.keys.public == public else ""
    _confirm(f"Key {public.hex()} of account {who.hex()} will sign nothing any more, for ever.{itself}", yes)
    ident = asyncio.run(_send(here, signer, file, c.RevokeKey(who, public), f"the end of key {public.hex()}"))
    out.print(f"account {who.hex()}: key {public.hex()} is revoked; command {ident.hex()}", soft_wrap=True)


def _rotate_operator(here: Where, file: Path, credential: Credential, out_file: Path | None, yes: bool) -> None:
    """Replace the operator's key in the market of its credential, or finish what a crash has left in the new file."""
    rotated = here.directory.operator_of(credential.market)
    itself = out_file is None and rotated.exists() and rotated.samefile(file)
    path = out_file or rotated
    need_path(path, "--out")
    begun = path.exists() and load(path).pending is not None
    if not begun:
        if not itself:
            _need_new(path)
        _confirm(f"The key of {file} will do nothing in market {credential.market!r} any more, for ever.", yes)

    async def rotate() -> Rotating:
        from contractnet.client import Operator

        async with Operator.connect(path if begun or itself else credential, here.bootstrap()) as operator:
            if not begun:
                await operator.rotate_key(None if itself else path)
            return operator

    made = asyncio.run(answered(rotate(), f"the operator's new key {path}", _OPERATOR_HINTS, "Run it again."))
    _tell_rotated(path, credential, made, None)


async def _rotate(here: Where, file: Path, credential: Credential, end_ms: int | None) -> Rotating:
    from contractnet.client import Agent, Bank

    member: type[Agent | Bank] = Agent if credential.role is Role.AGENT else Bank
    address = here.bootstrap(credential.bootstrap, file)
    async with member.connect(file, address, look_back_s=LOOK_BACK_S, timeout_s=CONNECT_S) as holder:
        # Where a rotation was begun, connecting has finished it.
        if credential.pending is None:
            await holder.rotate_key(expires_at_ms=end_ms)
        return holder


async def _send(here: Where, signer: Credential, file: Path | None, command: Command, what: str) -> bytes:
    """Send a command signed with a credential, which may be that of a `file`; the command's id."""
    from contractnet.client import Agent, Bank, Operator

    member: type[Rotating] = {Role.AGENT: Agent, Role.BANK: Bank, Role.OPERATOR: Operator}[signer.role]
    address = here.bootstrap(signer.bootstrap, file)
    async with member.connect(signer, address, look_back_s=LOOK_BACK_S) as sender:
        sealed = sender.prepare(command)
        then = "`contractnet key list` shows whether it took effect; if not, run it again."
        await answered(sender.submit(sealed), what, _HINTS, then)
        return sealed.command_id


def _holder(here: Where, account: str) -> Path:
    """The credential file that ACCOUNT is where --own is given. Raises SettingsError."""
    file = credential_file(here, account)
    if file is None:
        raise SettingsError(f"--own needs the holder's credential file for ACCOUNT, and {account[:_SHOWN]!r} is none.")
    return file


def _end_ms(expires_in: str | None, expires_at: str | None) -> int | None:
    """The end of a new key, milliseconds since the epoch; None: never. Raises SettingsError."""
    now_ms = int(time.time() * 1000)
    if expires_in is not None and expires_at is not None:
        raise SettingsError("--expires-in and --expires-at exclude each other: choose one.")
    if expires_in is not None:
        within_s = seconds_of(expires_in, "--expires-in")
        if not within_s:
            raise SettingsError(f"--expires-in {expires_in} is over at once: a key can only end later.")
        return now_ms + within_s * 1000
    if expires_at is None:
        return None
    try:
        at = datetime.fromisoformat(expires_at)
        end_ms = int(at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise SettingsError(
            f"--expires-at {expires_at[:_SHOWN]!r} is no time: write 2030-01-31 or 2030-01-31T12:00+01:00."
        ) from None
    if end_ms <= now_ms:
        raise SettingsError(f"--expires-at {expires_at} is over: a key can only end later.")
    return end_ms


def _ends(end_ms: int | None) -> str:
    return "no end" if end_ms is None else f"expires {datetime.fromtimestamp(end_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _tell_rotated(file: Path, before: Credential, member: Rotating, end_ms: int | None) -> None:
    assert member.rotated_by is not None, "it was accepted"
    public, old = member.credential.keys.public.hex(), before.keys.public.hex()
    out.print(f"{_text(file)}: key {public}, {_ends(end_ms)}; command {member.rotated_by.hex()}", soft_wrap=True)
    out.print(f"{old} is revoked in market {escape(before.market)}: start again what runs with it", soft_wrap=True)


def _need_new(path: Path) -> None:
    need_path(path, "--out")
    if path.exists():
        raise CredentialError(f"{path} exists already, and a credential is never overwritten. Choose another --out.")


def _confirm(what: str, yes: bool) -> None:
    """Ask before what cannot be taken back. Raises SettingsError where nobody is there to answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise SettingsError(f"{what} Confirm with --yes.")
    typer.confirm(f"{printable(what)} Go on?", abort=True)


def _text(path: Path) -> str:
    return escape(printable(str(path)))
