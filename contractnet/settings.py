"""Where things are: the data directory, the broker, the market. One rule for the SDK, the CLI and the services."""

from __future__ import annotations

import os
import re
from pathlib import Path

from contractnet.errors import SettingsError

DATA_ENV = "CONTRACTNET_DATA"
BOOTSTRAP_ENV = "CONTRACTNET_BOOTSTRAP"
MARKET_DEFAULT = "default"

_DATA_DEFAULT = ".contractnet"
_BOOTSTRAP_DEFAULT = "127.0.0.1:9092"
_SERVER = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
_PORT_MAX = 65535


def data_dir(flag: str | Path | None = None) -> Path:
    """The data directory, absolute: `flag`, else the environment's CONTRACTNET_DATA, else `.contractnet` here."""
    return Path(flag or os.environ.get(DATA_ENV) or _DATA_DEFAULT).expanduser().absolute()


def embedded_bootstrap(data: Path) -> str | None:
    """The address of the embedded broker that runs in a data directory, None where none has noted one."""
    file = data / "broker" / "bootstrap"
    # Whatever is in it besides is no address, which its reader says.
    return file.read_text("utf-8", errors="replace").strip() if file.is_file() else None


def bootstrap(
    flag: str | None = None,
    *,
    data: str | Path | None = None,
    hint: str | None = None,
    credential: str | Path | None = None,
) -> str:
    """The broker's address as `host:port[,host:port]`.

    The first of: `flag`, the environment's CONTRACTNET_BOOTSTRAP, what the embedded broker has noted in the data
    directory that the file `credential` lies in, `hint` (a credential file may carry one), what the embedded broker has
    noted in the data directory `data`, 127.0.0.1:9092. Raises SettingsError for what is no address.
    """
    # <data>/agents/ann.json: its market's broker is the one of <data>, whatever the present directory is.
    beside = None if credential is None else embedded_bootstrap(Path(credential).absolute().parent.parent)
    found = flag or os.environ.get(BOOTSTRAP_ENV) or beside or hint or embedded_bootstrap(data_dir(data))
    address = found or _BOOTSTRAP_DEFAULT
    for server in address.split(","):
        port = _SERVER.fullmatch(server.strip())
        if port is None or not 0 < int(port[1]) <= _PORT_MAX:
            raise SettingsError(
                f"{address!r} is no broker address: write host:port[,host:port], such as 127.0.0.1:9092"
            )
    return address
