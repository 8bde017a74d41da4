"""Sealed commands as text, so that a program can store one before it sends it."""

from __future__ import annotations

import json

from contractnet.envelope import Sealed
from contractnet.errors import CommandError


def to_text(sealed: Sealed) -> str:
    """One line of JSON. It holds no secret, but whoever has it can send the command."""
    headers = [[name, value.hex()] for name, value in sealed.headers]
    return json.dumps(
        {"market": sealed.market, "id": sealed.command_id.hex(), "value": sealed.value.hex(), "headers": headers}
    )


def from_text(text: str) -> Sealed:
    """The command of such a line. Raises CommandError for anything else."""
    try:
        data = json.loads(text)
        headers = [(str(name), bytes.fromhex(value)) for name, value in data["headers"]]
        return Sealed(str(data["market"]), bytes.fromhex(data["id"]), bytes.fromhex(data["value"]), headers)
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError("this is no stored command") from error
