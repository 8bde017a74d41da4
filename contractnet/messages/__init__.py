"""The messages of a market: commands, events and notices, typed; their schemas are in schemas/."""

from contractnet.messages import commands, events, notices
from contractnet.messages.commands import Command
from contractnet.messages.entry import Entry
from contractnet.messages.event import Event
from contractnet.messages.notices import Notice
from contractnet.messages.submission import Credentials, Submission
from contractnet.messages.types import (
    CODE_TEXT,
    ZERO_ID,
    Awarder,
    Cause,
    CfpOutcome,
    Claim,
    Code,
    Direction,
    Issue,
    LeaseEnd,
    NegotiationOutcome,
    NegotiationProtocol,
    Offer,
    OrderEnd,
    PostingReason,
    Pricing,
    Priority,
    Progress,
    ReleaseReason,
    Source,
    TokenPricing,
    Unreadable,
    Winner,
)

__all__ = [
    "CODE_TEXT",
    "ZERO_ID",
    "Awarder",
    "Cause",
    "CfpOutcome",
    "Claim",
    "Code",
    "Command",
    "Credentials",
    "Direction",
    "Entry",
    "Event",
    "Issue",
    "LeaseEnd",
    "NegotiationOutcome",
    "NegotiationProtocol",
    "Notice",
    "Offer",
    "OrderEnd",
    "PostingReason",
    "Pricing",
    "Priority",
    "Progress",
    "ReleaseReason",
    "Source",
    "Submission",
    "TokenPricing",
    "Unreadable",
    "Winner",
    "commands",
    "events",
    "notices",
]
