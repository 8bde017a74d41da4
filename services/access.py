"""Access control of the embedded broker: passwords, users, rights and quotas, made by whoever starts it.

<data>/access (0700) has one properties file (0600) for the broker's own user and for each role. What is there already
stays: passwords last as long as the directory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from confluent_kafka import KafkaException

from broker.security import USER, Security
from contractnet.access import OFF, is_off, load_access, role_file, save_access, scram
from contractnet.cli.directory import DataDirectory
from contractnet.credentials import Credential, load, save
from contractnet.errors import BrokerUnreachableError, CredentialError
from contractnet.principals import Principals, new_agent_user, new_password
from contractnet.rights import ROLES, app_id, rights
from services.quotas import set_quotas

INSECURE = (
    "INSECURE, for development only: the market shows the broker no credentials, so anybody who reaches it reads every "
    "bid and writes every topic"
)


def security_of(directory: DataDirectory, *, insecure: bool) -> Security | None:
    """What the broker of a directory is started with, its password made at the first use; None without access control.

    Raises CredentialError.
    """
    if insecure:
        return None
    file = role_file(directory.path, USER)
    if not file.is_file():
        save_access(Security(new_password()).access, file)
    password = load_access(file).settings.get("sasl.password")
    if not password:
        raise CredentialError(f"{file} has no sasl.password. Remove it, and `contractnet up` makes another.")
    return Security(password)


def note(directory: DataDirectory, *, insecure: bool) -> None:
    """Let clients of a directory know whether its access files count."""
    marker = directory.access / OFF
    if insecure:
        marker.touch(mode=0o600)
    else:
        marker.unlink(missing_ok=True)


def admit(directory: DataDirectory, bootstrap: str, security: Security, tell: Callable[[str], None]) -> None:
    """Make the users of all roles and of the directory's agents, their rights and quotas, where they are missing.

    Raises AccessRefusedError, BrokerUnreachableError, CredentialError.
    """
    try:
        principals = Principals(bootstrap, security.access)
        principals.check()
        known = principals.users()
        principals.set_passwords(_roles(directory, known) | _agents(directory, known, tell))
        principals.allow(rights(app_id()))
        set_quotas(bootstrap, security.access)
    except KafkaException as error:
        raise BrokerUnreachableError(
            f"The broker at {bootstrap} does not answer user {USER!r} ({error.args[0].str()}). One that was started "
            f"by an earlier version, or with --insecure, has to be started anew: `contractnet broker stop`, then `up`."
        ) from error


def _roles(directory: DataDirectory, known: set[str]) -> dict[str, str]:
    """The passwords of the roles that the broker does not know, or that had no file."""
    wanted = {}
    for role in ROLES:
        file = role_file(directory.path, role)
        is_new = not file.is_file()
        if is_new:
            save_access(scram(role, new_password()), file)
        if is_new or role not in known:
            wanted[role] = load_access(file).settings["sasl.password"]
    return wanted


def _agents(directory: DataDirectory, known: set[str], tell: Callable[[str], None]) -> dict[str, str]:
    """The passwords of the agents enrolled here that the broker does not know; a file that has none is given one."""
    wanted = {}
    given = 0
    for path in sorted(directory.agents.glob("*.json")):
        credential = _readable(path)
        if credential is None:
            continue
        if credential.kafka is None:
            credential = replace(credential, kafka=scram(new_agent_user(), new_password()))
            save(credential, path)
            given += 1
        assert credential.kafka is not None
        user, password = credential.kafka.user, credential.kafka.settings.get("sasl.password")
        if user and password and user not in known:
            wanted[user] = password
    if given:
        tell(f"{given} credentials in {directory.agents} are of a time without access control and were given users")
    return wanted


def _readable(path: Path) -> Credential | None:
    # A file that somebody else put there must not keep the market from starting.
    try:
        return load(path)
    except CredentialError:
        return None


def environment_of(directory: DataDirectory, role: str, otherwise: str | None) -> str:
    """The CONTRACTNET_ACCESS of a role's process: its file, else what this process was given `otherwise`, else none."""
    if is_off(directory.path):
        return ""
    file = role_file(directory.path, role)
    return str(file) if file.is_file() else otherwise or ""
