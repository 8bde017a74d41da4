"""Signatures checked ahead of the re-run, in other processes.

A signature depends on the record and on its market's genesis hash. That is taken from the stream: the first OpenMarket
of a market whose key header is the trusted operator's. Should the re-run ask for another genesis (the operator's first
try may have been rejected), the signature is checked again then: the answer never depends on the guess.
"""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import active_children, get_context
from types import TracebackType
from typing import ParamSpec, TypeVar

from contractnet.envelope import claim_of, is_proven
from contractnet.messages import Submission
from contractnet.messages import commands as c
from contractnet.signing import NO_GENESIS, Claim, verify

P = ParamSpec("P")
R = TypeVar("R")


def check_all(claims: Sequence[Claim]) -> tuple[bytes, float]:
    """One byte for each claim, 1 where its signature holds, and the CPU seconds it took."""
    started_s = time.process_time()
    answers = bytes(verify(*claim) for claim in claims)
    return answers, time.process_time() - started_s


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold SIGINT back. A process that starts meanwhile never gets it: Ctrl-C reaches the whole process group, and the
    parent ends the others, without a traceback from each of them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(slots=True)
class Chunk:
    """Records of one partition with their signatures under way. `guesses` are the genesis hashes they are taken for."""

    submissions: list[Submission]
    offsets: list[int]
    guesses: list[bytes]
    answers: Future[tuple[bytes, float]] | tuple[bytes, float]

    def proven(self) -> tuple[dict[int, tuple[bytes, bool]], float]:
        """By offset: the genesis and whether the signature holds; and the CPU seconds of the checks."""
        answers, cpu_s = self.answers.result() if isinstance(self.answers, Future) else self.answers
        pairs = zip(self.guesses, map(bool, answers), strict=True)
        return dict(zip(self.offsets, pairs, strict=True)), cpu_s


class SignaturePool:
    """`jobs` processes that check signatures; 0 checks in this one. Use as a context manager."""

    def __init__(self, jobs: int) -> None:
        self._others = active_children()
        # Not fork: librdkafka's threads would not survive it.
        self.executor = ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) if jobs else None

    def __enter__(self) -> SignaturePool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.executor is None:
            return
        if kind is not None:
            # What they are at may take long, and nobody waits for it any more. The executor has no public way to end
            # its processes before Python 3.14.
            for child in active_children():
                if child not in self._others:
                    child.terminate()
        self.executor.shutdown(cancel_futures=True)

    def start(self, submissions: list[Submission], guesses: Guesses) -> Chunk:
        """Begin checking the signatures of records, in their order in the partition."""
        offsets: list[int] = []
        used: list[bytes] = []
        claims: list[Claim] = []
        for sub in submissions:
            genesis = guesses.take(sub)
            claim = None if genesis is None else claim_of(sub, genesis)
            if genesis is not None and claim is not None:
                offsets.append(sub.offset)
                used.append(genesis)
                claims.append(claim)
        if self.executor is None or not claims:
            return Chunk(submissions, offsets, used, check_all(claims))
        return Chunk(submissions, offsets, used, self.submit(check_all, claims))

    def submit(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call a function in one of the processes; there has to be one."""
        assert self.executor is not None
        with _interrupts_held():
            return self.executor.submit(function, *args, **kwargs)


@dataclass(slots=True)
class Guesses:
    """The likely genesis hash of each market."""

    operator_key: bytes
    genesis: dict[str, bytes] = field(default_factory=dict)

    def take(self, sub: Submission) -> bytes | None:
        """The genesis hash that the signature of a record most likely covers, None where there is no market yet."""
        if sub.market is None:
            return None
        if isinstance(sub.command, c.OpenMarket):
            if sub.credentials is not None and sub.credentials.key == self.operator_key:
                self.genesis.setdefault(sub.market, hashlib.sha256(sub.value).digest())
            return NO_GENESIS
        return self.genesis.get(sub.market)


@dataclass(slots=True)
class CheckedSignatures:
    """The verifier that a re-run's shard asks. `known` is what was checked ahead; counts are over the whole run."""

    known: dict[int, tuple[bytes, bool]] = field(default_factory=dict)
    checked: int = 0
    inline: int = 0

    def __call__(self, submission: Submission, genesis: bytes) -> bool:
        """Whether the signature of a record holds in the market with this genesis hash."""
        found = self.known.get(submission.offset)
        if found is not None and found[0] == genesis:
            return found[1]
        self.inline += 1
        return is_proven(submission, genesis)
