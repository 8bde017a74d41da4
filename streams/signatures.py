"""Signature checks off the thread that judges.

An Ed25519 check takes a quarter as long as judging the command does, and needs nothing but the record and the market's
genesis hash: another process does it on another core. Threads do not: libsodium lets go of the interpreter's lock, but
each check needs it again afterwards, and the thread that judges gives it away every few milliseconds only.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from contractnet.envelope import claim_of, is_proven
from contractnet.messages import Submission
from contractnet.messages.commands import OpenMarket
from contractnet.signing import NO_GENESIS, Claim

BATCH_MIN = 33
"""Smaller batches are checked where they are judged: handing over costs more than it saves."""
CHUNK = 256
"""Checks in one question to the other process: 10 ms of its work."""


class Signer:
    """The process that checks for all writers of this one. It is started by the first question."""

    def __init__(self) -> None:
        self._asking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="signatures")
        self._process: subprocess.Popen[bytes] | None = None

    def check(self, claims: Sequence[Claim]) -> Future[bytes]:
        """One byte for each claim, 1 where the signature holds. The answer raises OSError where the process ended."""
        return self._asking.submit(self._ask, claims)

    def _ask(self, claims: Sequence[Claim]) -> bytes:
        if self._process is None:
            command = [sys.executable, "-m", "streams.signer"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        source, answers = self._process.stdin, self._process.stdout
        assert source is not None
        assert answers is not None
        pickle.dump(claims, source)
        source.flush()
        answer = answers.read(len(claims))
        if len(answer) < len(claims):
            raise OSError(f"the process that checks signatures ended with {self._process.wait()}")
        return answer


_SIGNER = Signer()


class SignatureChecks:
    """Checks the signatures of a batch ahead of the thread that judges it. One per partition's writer."""

    def __init__(self) -> None:
        self._ahead: dict[int, tuple[bytes, Future[bytes], int]] = {}

    def start(self, submissions: Sequence[Submission], genesis_of: Mapping[str, bytes]) -> None:
        """Begin to check a batch. `genesis_of` has the genesis hash of each market that is open before the batch."""
        self._ahead.clear()
        if len(submissions) < BATCH_MIN:
            return
        work: list[tuple[int, bytes, Claim]] = []
        for submission in submissions:
            genesis = _genesis(submission, genesis_of)
            claim = None if genesis is None else claim_of(submission, genesis)
            if genesis is not None and claim is not None:
                work.append((submission.offset, genesis, claim))
        for first in range(0, len(work), CHUNK):
            chunk = work[first : first + CHUNK]
            future = _SIGNER.check([claim for _, _, claim in chunk])
            for place, (offset, genesis, _) in enumerate(chunk):
                self._ahead[offset] = (genesis, future, place)

    def verify(self, submission: Submission, genesis: bytes) -> bool:
        """Whether a signature holds: the answer of the check that was begun, or of one made now."""
        ahead = self._ahead.get(submission.offset)
        # A market that this very batch opened was not known when the checks began.
        if ahead is None or ahead[0] != genesis:
            return is_proven(submission, genesis)
        return bool(ahead[1].result()[ahead[2]])


def _genesis(submission: Submission, genesis_of: Mapping[str, bytes]) -> bytes | None:
    if isinstance(submission.command, OpenMarket):
        return NO_GENESIS
    return None if submission.market is None else genesis_of.get(submission.market)
