"""`access`: who may do what on the broker, the passwords of the roles, and users for agents."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from contractnet.access import MECHANISM, load_access, own_access, role_file, save_access, scram
from contractnet.cli.lazy import service
from contractnet.cli.members import credential_file
from contractnet.cli.root import Where, app, out, where
from contractnet.credentials import load, save
from contractnet.errors import AccessRefusedError, SettingsError
from contractnet.rights import ROLES, app_id, as_command, quota_command, quotas, rights

if TYPE_CHECKING:
    from contractnet.principals import Principals

access = typer.Typer(
    no_args_is_help=True, help="Access control: the rights of each role, their passwords, and users for agents."
)
app.add_typer(access, name="access")
# Characters of a wrong text that an error repeats.
_SHOWN = 40
_PLACE = "kafka.example:9092"
_WHOSE = "An agent enrolled here, its credential file, or the name of its user."


@access.command(epilog="Example:  contractnet access show > access.sh   (for the administrator of an existing cluster)")
def show(ctx: typer.Context) -> None:
    """Print all rights, and the quotas of agents and roles, as commands of Kafka's own tools."""
    bootstrap = where(ctx).bootstrap_flag or _PLACE
    for right in rights(app_id()):
        print(as_command(right, bootstrap))
    # The roles first: the default would slow the referee down until it is exempt.
    for user, limits in sorted(quotas().items(), key=lambda each: each[0] is None):
        print(quota_command(user, limits, bootstrap))


@access.command(
    epilog="Examples:  contractnet access grant ann   |   contractnet access grant agent.json --access ann.properties"
)
def grant(
    ctx: typer.Context,
    agent: Annotated[str, typer.Argument(help="An agent enrolled here, or its credential file.")],
    access_file: Annotated[
        Path | None,
        typer.Option("--access", help="Access file of a user that exists already.", show_default="a new user"),
    ] = None,
) -> None:
    """Give an agent's credential file another user of the broker; the one that it had is revoked.

    For credentials of a time without access control, and where a password may be known to others.
    """
    here = where(ctx)
    here.act_as("operator")
    file = credential_file(here, agent) or Path(agent)
    credential = load(file)
    if access_file is not None:
        save(replace(credential, kafka=load_access(access_file)), file)
    else:
        principals = _principals(here)
        save(replace(credential, kafka=principals.new_agents(1)[0]), file)
        former = None if credential.kafka is None else credential.kafka.user
        if former is not None and former in principals.users():
            principals.revoke(former)
    changed = load(file).kafka
    user = None if changed is None else changed.user
    out.print(f"{escape(str(file))}: user {escape(str(user))}", soft_wrap=True)


@access.command(
    epilog="Examples:  contractnet access revoke ann   |   contractnet access revoke agent.json   |   "
    "contractnet access revoke agent-1f0c9a3b5d7e2468"
)
def revoke(
    ctx: typer.Context,
    who: Annotated[str, typer.Argument(help=_WHOSE)],
) -> None:
    """Shut an agent out of the broker at once, also over connections that it has. Its account stays as it is."""
    here = where(ctx)
    here.act_as("operator")
    principals = _principals(here)
    user = _agent_user(here, principals, who)
    principals.revoke(user)
    out.print(f"user {escape(user)} is revoked", soft_wrap=True)


@access.command(epilog="Example:  contractnet access quota agents/planner.json --agents 20")
def quota(
    ctx: typer.Context,
    who: Annotated[str, typer.Argument(help=_WHOSE)],
    agents: Annotated[int, typer.Option(help="For how many agents the user writes.", min=1, max=10_000)],
) -> None:
    """Let a user write as much as that many agents: for a process that speaks for several over one connection.

    Kafka delays whoever writes more than its quota, 32 KiB/s an agent, some 80 commands a second.
    """
    here = where(ctx)
    here.act_as("operator")
    user = _agent_user(here, _principals(here), who)
    rate = service("services.quotas").set_shares(here.bootstrap(), own_access(), {user: agents})[user]
    out.print(f"user {escape(user)} may write {rate / 1024:g} KiB/s", soft_wrap=True)


@access.command(epilog="Example:  contractnet access renew projector   (then `contractnet down` and `contractnet up`)")
def renew(
    ctx: typer.Context, role: Annotated[str, typer.Argument(help=f"One of {', '.join(ROLES)}.", metavar="ROLE")]
) -> None:
    """Give a role another password, in the broker and in its file: where others may have read the old one.

    Nobody is let in with the old one any more. Connections that are open stay until the broker starts anew.
    """
    from contractnet.principals import new_password

    here = where(ctx)
    if role not in ROLES:
        raise SettingsError(
            f"{role[:_SHOWN]!r} is no role: {', '.join(ROLES)}. Agents have `contractnet access grant`."
        )
    here.act_as("operator")
    principals = _principals(here)
    file = role_file(here.directory.path, role)
    former = load_access(file) if file.is_file() else scram(role, "", own_access())
    if former.user is None or former.settings.get("sasl.mechanism") != MECHANISM:
        raise SettingsError(f"{file} names no user of {MECHANISM}: its cluster's administrator renews it.")
    renewed = scram(former.user, new_password(), former)
    # On disk before the broker has it: a password that only the broker knows would shut the role out.
    waiting = file.with_suffix(".new")
    save_access(renewed, waiting)
    try:
        principals.set_passwords({former.user: renewed.settings["sasl.password"]})
    except AccessRefusedError:
        waiting.unlink()
        raise
    os.replace(waiting, file)
    out.print(
        f"user {escape(former.user)} has another password, in {escape(str(file))}. What runs as {role} has to be "
        f"started anew; `contractnet down` and `up` do that here, and end connections made with the old password.",
        soft_wrap=True,
    )


def _agent_user(here: Where, principals: Principals, who: str) -> str:
    """The user that an agent's name, its file or the user's own name means. Raises SettingsError for no agent's."""
    user: str | None = who
    if (file := credential_file(here, who)) is not None:
        kafka = load(file).kafka
        user = None if kafka is None else kafka.user
    if user is None or user in ROLES or user not in principals.users():
        raise SettingsError(
            f"{who[:_SHOWN]!r} is no agent enrolled here, no file of one, and no agent's user that this broker knows."
        )
    return user


def _principals(here: Where) -> Principals:
    from contractnet.principals import Principals

    if own_access().user is None:
        raise SettingsError(
            f"No credentials of an operator: {here.directory.path} has no access control (`contractnet up` makes it), "
            f"and CONTRACTNET_ACCESS names no file."
        )
    return Principals(here.bootstrap())
