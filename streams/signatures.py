"""Signature checks off the thread that judges.

An Ed25519 check takes as long as judging the command does, needs nothing but the record and the market's genesis
hash, and libsodium lets go of the interpreter's lock meanwhile: a second core does it while the first one judges.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from contractnet.envelope import is_proven
from contractnet.messages import Submission
from contractnet.messages.commands import OpenMarket
from contractnet.signing import NO_GENESIS

CHUNK = 32
"""Checks in one task: few enough to start judging soon, enough for the hand-over not to count."""


class SignatureChecks:
    """Checks the signatures of a batch ahead of the thread that judges it. One per partition's writer."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="signatures")
        self._ahead: dict[int, tuple[bytes, Future[list[bool]], int]] = {}

    def start(self, submissions: Sequence[Submission], genesis_of: Mapping[str, bytes]) -> None:
        """Begin to check a batch. `genesis_of` has the genesis hash of each market that is open before the batch."""
        self._ahead.clear()
        work = []
        for submission in submissions:
            genesis = self._genesis(submission, genesis_of)
            if submission.credentials is not None and genesis is not None:
                work.append((submission, genesis))
        if len(work) <= CHUNK:
            return  # at a low rate handing over costs more than it saves
        for first in range(0, len(work), CHUNK):
            chunk = work[first : first + CHUNK]
            future = self._pool.submit(_check, chunk)
            for place, (submission, genesis) in enumerate(chunk):
                self._ahead[submission.offset] = (genesis, future, place)

    def verify(self, submission: Submission, genesis: bytes) -> bool:
        """Whether a signature holds: the answer of the check that was begun, or of one made now."""
        ahead = self._ahead.get(submission.offset)
        # A market that this very batch opened was not known when the checks began.
        if ahead is None or ahead[0] != genesis:
            return is_proven(submission, genesis)
        return ahead[1].result()[ahead[2]]

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    @staticmethod
    def _genesis(submission: Submission, genesis_of: Mapping[str, bytes]) -> bytes | None:
        if isinstance(submission.command, OpenMarket):
            return NO_GENESIS
        return None if submission.market is None else genesis_of.get(submission.market)


def _check(chunk: Sequence[tuple[Submission, bytes]]) -> list[bool]:
    return [is_proven(submission, genesis) for submission, genesis in chunk]
