"""The topics, in one table: who writes and reads them, and how Kafka keeps them.

Topic configurations, access control and the table in ARCHITECTURE.md are generated from here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PARTITIONS_DEFAULT = 4
MESSAGE_BYTES_MAX = 2 * 1024 * 1024
"""A poison record of 1 MB must be stored (and answered with CommandUnreadable), not refused by a client's setting."""

FOREVER = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: roles that write and read it, what it holds, and its Kafka configuration."""

    name: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    holds: str
    config: dict[str, str] = field(default_factory=dict)


COMMANDS = Topic(
    "commands",
    writers=("agent", "clock", "bank", "judge"),
    readers=("referee", "auditor"),
    holds="signed commands; the broker's stamp is the market's time; kept for ever: audits run them again",
    config=FOREVER
    | {
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(MESSAGE_BYTES_MAX),
        # The broker unpacks what producers compress, and refuses what is too large then. Stored as sent, one batch of a
        # codec that a worker lacks, or of a few KB that unpack to gigabytes, would end every worker that reads it.
        "compression.type": "uncompressed",
    },
)
LEDGER = Topic(
    "ledger",
    writers=("referee",),
    readers=("referee", "snapshotter", "judge", "projector", "auditor", "operator"),
    holds="every event, bid contents and rejections included; kept for ever: the only truth",
    config=FOREVER | {"message.timestamp.type": "CreateTime"},
)
NOTICES = Topic(
    "notices",
    writers=("referee",),
    readers=("agent", "auditor"),
    holds="what agents may see; kept for 14 days, longer than any lease",
    config={
        "retention.ms": str(14 * 24 * 3600 * 1000),
        "cleanup.policy": "delete",
        "message.timestamp.type": "CreateTime",
    },
)
SNAPSHOTS = Topic(
    "snapshots",
    writers=("snapshotter",),
    readers=("referee", "snapshotter", "auditor"),
    holds="chunks and manifests of folded states; a cache, never trusted, only checked",
    config={
        "cleanup.policy": "compact",
        "max.message.bytes": str(MESSAGE_BYTES_MAX),
        "message.timestamp.type": "CreateTime",
    },
)
TOPICS = (COMMANDS, LEDGER, NOTICES, SNAPSHOTS)
