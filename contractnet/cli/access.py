"""`access`: who may do what on the broker, and users for agents."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from contractnet.access import load_access, own_access
from contractnet.cli.root import app, out, where
from contractnet.credentials import load, save
from contractnet.errors import SettingsError
from contractnet.rights import APP_ID, as_command, rights

access = typer.Typer(no_args_is_help=True, help="Access control: the rights of each role, and users for agents.")
app.add_typer(access, name="access")
_PLACE = "kafka.example:9092"


@access.command(epilog="Example:  contractnet access show > acls.sh   (for the administrator of an existing cluster)")
def show(ctx: typer.Context) -> None:
    """Print the rights of all roles as commands of Kafka's own tool, kafka-acls.sh."""
    bootstrap = where(ctx).bootstrap_flag or _PLACE
    for right in rights(os.environ.get("CONTRACTNET_APP", APP_ID)):
        print(as_command(right, bootstrap))


@access.command(
    epilog="Examples:  contractnet access grant agent.json   |   "
    "contractnet access grant agent.json --access ann.properties"
)
def grant(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="Credential file of an agent.")],
    access_file: Annotated[
        Path | None,
        typer.Option("--access", help="Access file of a user that exists already.", show_default="a new user"),
    ] = None,
) -> None:
    """Give an agent's credential file another user of the broker; the one that it had is removed.

    For credentials of a time without access control, and where a password may be known to others.
    """
    from contractnet.principals import Principals

    here = where(ctx)
    here.act_as("operator")
    credential = load(file)
    if access_file is not None:
        save(replace(credential, kafka=load_access(access_file)), file)
    elif own_access().user is None:
        raise SettingsError(
            f"No credentials of an operator: {here.directory.path} has no access control (`contractnet up` makes it), "
            f"and CONTRACTNET_ACCESS names no file."
        )
    else:
        principals = Principals(here.bootstrap())
        save(replace(credential, kafka=principals.new_agents(1)[0]), file)
        former = None if credential.kafka is None else credential.kafka.user
        if former is not None and former in principals.users():
            principals.remove(former)
    changed = load(file).kafka
    user = None if changed is None else changed.user
    out.print(f"{escape(str(file))}: user {escape(str(user))}", soft_wrap=True)
