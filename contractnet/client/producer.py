"""One idempotent producer for all commands of a process to one market, and the thread that serves its callbacks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from contractnet import topics
from contractnet.access import Access, client_settings
from contractnet.envelope import Sealed
from contractnet.errors import CommandUnsendableError
from contractnet.refusals import is_refusal

log = logging.getLogger(__name__)

POLL_S = 0.1
DELIVERY_TIMEOUT_MS = 120_000


class CommandProducer:
    """Sends sealed commands, acknowledged by all replicas.

    It is idempotent and never transactional: the broker keeps the order of sends and drops its own retries' duplicates.
    `failed` is called, in the producer's thread, with a command that the broker did not take.
    """

    def __init__(
        self, bootstrap: str, failed: Callable[[Sealed, KafkaError], None], access: Access | None = None
    ) -> None:
        self._bootstrap = bootstrap
        self._access = access
        self._failed = failed
        self._lock = threading.Lock()
        self._broken = False
        self._refusal: KafkaError | None = None
        self._stop = threading.Event()
        self._producer = self._build()
        self._thread = threading.Thread(target=self._run, name="contractnet-commands", daemon=True)
        self.last_problem: str | None = None

    def start(self) -> None:
        """Begin to serve callbacks."""
        self._thread.start()

    def send(self, sealed: Sealed, partition: int) -> bool:
        """Queue a command for a partition. False when the local queue is full: try again shortly.

        Raises CommandUnsendableError.
        """
        if self._refusal is not None:
            self._failed(sealed, self._refusal)
            return True
        with self._lock:
            try:
                self._producer.produce(
                    topics.COMMANDS.name,
                    value=sealed.value,
                    key=sealed.market.encode(),
                    partition=partition,
                    headers=list(sealed.headers),
                    on_delivery=partial(self._delivered, sealed),
                )
            except BufferError:
                return False
            except KafkaException as error:
                if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    size = len(sealed.value)
                    raise CommandUnsendableError(f"a command of {size} bytes is too large to be sent") from error
                # A producer with a fatal error refuses everything; the poll thread builds another one.
                self._broken = True
                return False
        return True

    def close(self, timeout_s: float) -> None:
        """Wait until everything is delivered, but no longer than `timeout_s`; then end the thread. Blocks."""
        self._serve(self._producer.flush, timeout_s)
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        # What is still queued would keep the library's threads busy beyond close.
        self._producer.purge()
        self._serve(self._producer.flush, 1)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._serve(self._producer.poll, POLL_S)
            if self._broken:
                self._replace()
            if self._refusal is not None:
                self._producer.purge()

    def _replace(self) -> None:
        """After a fatal error of the idempotent producer: fail what it held, and go on with a new one."""
        with self._lock:
            old, self._producer = self._producer, self._build()
            self._broken = False
        old.purge()
        self._serve(old.flush, 1)

    def _serve(self, serve: Callable[[float], int], timeout_s: float) -> None:
        """Let the library call back. It raises a fatal error here that nobody could have been told before."""
        try:
            serve(timeout_s)
        except KafkaException as error:
            self._problem(error.args[0])

    def _build(self) -> Producer:
        return Producer(
            {
                **client_settings(self._bootstrap, self._access),
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 1,
                "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
                "delivery.report.only.error": True,
                "message.max.bytes": topics.MESSAGE_BYTES_MAX,
                "retry.backoff.ms": 20,
                "retry.backoff.max.ms": 200,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
                "error_cb": self._problem,
            }
        )

    def _problem(self, error: KafkaError) -> None:
        self.last_problem = error.str()
        log.debug("commands: %s", error)
        if error.fatal():
            # Another producer would be refused its id in the same way.
            self._refusal = error if is_refusal(error) else None
            self._broken = self._refusal is None

    def _delivered(self, sealed: Sealed, error: KafkaError | None, message: Message) -> None:  # noqa: ARG002, the library's signature
        if error is not None:
            # A producer that was refused its id throws away what it has: the refusal is why.
            self._failed(sealed, self._refusal or error)
