"""Which guards of a market its operator may still put up: one line for whoever starts it (docs/guards.md)."""

from __future__ import annotations

from collections.abc import Collection

RESALE_CALL_S = 5
"""How long a lease that is bargained for is called for in a market that is opened without another word."""

# By analytics.policy's names.
_COMMANDS = {
    "issue": "the limit of what is issued (policy set --issue-limit)",
    "fee": "the fee for each offer (policy set --fee)",
    "deposit": "the deposit (policy deposit)",
    "resale": "the call of resales (policy resale)",
}


def off_at_first(resale_call_s: int) -> set[str]:
    """What is off in a market that was opened just now."""
    return set(_COMMANDS) - ({"resale"} if resale_call_s else set())


def off_line(off: Collection[str], begin: str) -> str:
    """The guards that are off, with the command that sets each, all of which `begin` the same; empty where none is."""
    named = [command for name, command in _COMMANDS.items() if name in off]
    if not named:
        return ""
    return f"guards that are off: {', '.join(named)}; `{begin} policy --help` says how to set them"
