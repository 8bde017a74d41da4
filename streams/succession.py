"""A dead owner's open transactions are ended before the writers ask for their producers' epochs.

A worker that is killed leaves its transactions open, and the broker aborts them when its successor asks for an epoch
(InitProducerId); until the markers are written it answers CONCURRENT_TRANSACTIONS. librdkafka then asks again after
half a second, which nothing configures (2.16, `rd_kafka_idemp_pid_timer_restart`), and a restart spends a fifth of its
time in that wait. aiokafka, which Faust brings along, asks again as soon as it is told to. Whatever comes of it here,
the writers' own `init_transactions` fences and decides.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from contractnet.access import own_access
from streams.access import faust_credentials
from streams.settings import Settings
from streams.writer import TRANSACTION_TIMEOUT_MS

log = logging.getLogger(__name__)
ASK_AGAIN_MS = 10
PATIENCE_S = 1.0


async def end_transactions(settings: Settings, partitions: Iterable[int]) -> None:
    """End what earlier owners of partitions that this worker is about to own have left open, side by side."""
    await asyncio.gather(*(_end(settings, partition) for partition in partitions))


async def _end(settings: Settings, partition: int) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap.split(","),
        transactional_id=settings.transactional_id(partition),
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        retry_backoff_ms=ASK_AGAIN_MS,
        **credentials_to_aiokafka_auth(faust_credentials(own_access()), None),
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            await producer.start()
    except (KafkaError, TimeoutError) as why:
        log.info("partition %d: its writer ends what was left open: %r", partition, why)
    finally:
        with suppress(KafkaError):
            await producer.stop()
