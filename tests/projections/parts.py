"""What the random histories of generator.py keep of what is open."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Cfp:
    """An open CFP."""

    cfp: bytes
    manager: bytes
    pool: str
    units: int
    bids: dict[bytes, tuple[bytes, int, str]] = field(default_factory=dict)
    withdrawn: set[bytes] = field(default_factory=set)
    managed: bool = False
    refused: set[bytes] = field(default_factory=set)
    deciding: bool = False
    won: int = 0
    deposit_ucr: int = 0
    declined: int = 0
