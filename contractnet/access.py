"""What a client shows the broker to be let in: librdkafka's security settings, read from a properties file.

`contractnet up` writes one file a role into `<data>/access` (folder 0700, files 0600). A process finds its own through
the environment's CONTRACTNET_ACCESS, an agent in its credential file. Without either, connections are plaintext. The
names are librdkafka's (https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md), so that a file for an
existing cluster, with TLS or another mechanism, is written in the same way.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contractnet.errors import CredentialError
from contractnet.files import write_secret

ACCESS_ENV = "CONTRACTNET_ACCESS"
MECHANISM = "SCRAM-SHA-512"
FOLDER = "access"
# In that folder: the market was last started without access control, so that its files do not count.
OFF = "off"

_NAMES = ("security.", "sasl.", "ssl.", "enable.sasl.", "enable.ssl.")
# These run a command or load code: a credential file that somebody sends must not.
_NEVER = ("sasl.kerberos.kinit.cmd", "ssl.engine", "ssl.providers")


@dataclass(frozen=True, slots=True)
class Access:
    """Security settings by librdkafka's names; none of them is a plaintext connection without a user."""

    settings: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def user(self) -> str | None:
        """The user that the broker will know the client by, None where the settings name none."""
        return self.settings.get("sasl.username")


PLAINTEXT = Access()


def scram(user: str, password: str, like: Access = PLAINTEXT) -> Access:
    """A SCRAM user's settings; protocol and certificates are those of `like`, whose cluster it is a user of."""
    kept = {name: text for name, text in like.settings.items() if name.startswith(("security.", "ssl.", "enable.ssl."))}
    return Access(
        {"security.protocol": "SASL_PLAINTEXT", **kept}
        | {"sasl.mechanism": MECHANISM, "sasl.username": user, "sasl.password": password}
    )


def client_settings(bootstrap: str, access: Access | None = None) -> dict[str, Any]:
    """What every client of a broker begins its configuration with. `access` None: that of this process.

    Raises CredentialError for a file of CONTRACTNET_ACCESS that is missing or open to others.
    """
    return {"bootstrap.servers": bootstrap, **(own_access() if access is None else access).settings}


def own_access() -> Access:
    """The access of this process: the file that CONTRACTNET_ACCESS names. Raises CredentialError."""
    path = os.environ.get(ACCESS_ENV)
    return load_access(path) if path else PLAINTEXT


def role_file(data: Path, role: str) -> Path:
    """Where the access of a role lies in a data directory."""
    return data / FOLDER / f"{role}.properties"


def is_off(data: Path) -> bool:
    """Whether the market of a data directory was last started without access control."""
    return (data / FOLDER / OFF).exists()


def act_as(role: str, data: Path) -> None:
    """Have this process, and those that it starts, use the access of a role of a data directory, where there is one.

    What the environment says already wins.
    """
    file = role_file(data, role)
    if ACCESS_ENV not in os.environ and file.is_file() and not is_off(data):
        os.environ[ACCESS_ENV] = str(file)


def load_access(path: str | Path) -> Access:
    """Read a properties file. Raises CredentialError when it is missing, open to others, or not such a file."""
    path = Path(path)
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            lines = file.read().splitlines()
    except FileNotFoundError as error:
        raise CredentialError(
            f"no access file {path}: `contractnet up` writes those of its own broker; for another cluster write one "
            f"with the names of librdkafka (security.protocol, sasl.username, ...)"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialError(f"cannot read {path}: {getattr(error, 'strerror', 'it is no text')}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CredentialError(f"{path} is open to others (mode {mode:04o}): run `chmod 600 {path}`")
    settings: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not name or name.startswith("#"):
            continue
        if not equals or not _is_taken(name):
            # The line may hold a secret: name its place only.
            raise CredentialError(f"{path}, line {number}: not a security setting of librdkafka (name=value)")
        settings[name] = value
    return Access(settings)


def access_of(settings: object) -> Access | None:
    """The access in a credential file's field, None where it has none. Raises TypeError, ValueError for others."""
    if settings is None:
        return None
    if not isinstance(settings, dict) or not all(isinstance(v, str) for v in settings.values()):
        raise TypeError("the access is malformed")
    if not all(isinstance(name, str) and _is_taken(name) for name in settings):
        raise ValueError("the access holds what is no security setting")
    return Access(settings)


def _is_taken(name: str) -> bool:
    return name.startswith(_NAMES) and not name.startswith(_NEVER)


def save_access(access: Access, path: Path) -> None:
    """Write a properties file, mode 0600, in one step. Raises CredentialError."""
    text = "".join(f"{name}={value}\n" for name, value in access.settings.items())
    try:
        write_secret(path, text)
    except OSError as error:
        raise CredentialError(f"cannot write {path}: {error.strerror}") from error
