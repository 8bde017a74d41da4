"""Settings of the services, from the environment. `contractnet up` sets it; so does docker-compose.yml."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from contractnet.errors import SettingsError
from contractnet.rights import app_id
from contractnet.settings import bootstrap, data_dir
from contractnet.topics import PARTITIONS_DEFAULT

WEB_PORT_DEFAULT = 6066
OPERATOR_KEY_FILE = Path("keys") / "operator.pub"
"""In the data directory: the public key (hex) of the only operator whose markets a worker serves."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What every service needs to know.

    `app_id` is the consumer group and the prefix of transactional ids; `slot` the worker's place in it (None: the first
    free one); `operator_key` the trusted operator's public key, 32 bytes; `web_port` where a worker's /health answers
    on 127.0.0.1 (None: 6066 and its slot, so that workers of one machine do not meet).
    """

    bootstrap: str
    data: Path
    app_id: str
    partitions: int
    replication: int
    operator_key: bytes
    slot: int | None
    web_port: int | None
    session_timeout_s: float

    def transactional_id(self, partition: int) -> str:
        """What a partition's writers are known by: each new one fences the one before."""
        return f"{self.app_id}-{partition}"

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the CONTRACTNET_* variables; raises SettingsError for what makes no sense."""
        data = data_dir()
        slot, port = os.environ.get("CONTRACTNET_SLOT"), os.environ.get("CONTRACTNET_WEB_PORT")
        return cls(
            bootstrap=bootstrap(data=data),
            data=data,
            app_id=app_id(),
            partitions=_number("CONTRACTNET_PARTITIONS", PARTITIONS_DEFAULT),
            replication=_number("CONTRACTNET_REPLICATION", 1),
            operator_key=_operator_key(data),
            slot=None if slot is None else _number("CONTRACTNET_SLOT", 0),
            web_port=None if port is None else _number("CONTRACTNET_WEB_PORT", 0),
            session_timeout_s=float(_number("CONTRACTNET_SESSION_TIMEOUT_S", 10)),
        )


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal():
        raise SettingsError(f"{name}={text!r} is no whole number")
    return int(text)


def _operator_key(data: Path) -> bytes:
    text = os.environ.get("CONTRACTNET_OPERATOR_KEY", "")
    path = data / OPERATOR_KEY_FILE
    if not text and path.exists():
        text = path.read_text("ascii").strip()
    if not text:
        raise SettingsError(f"no operator is trusted: set CONTRACTNET_OPERATOR_KEY, or run `contractnet up` ({path})")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise SettingsError("the operator's public key is 64 hex digits")
    return key
