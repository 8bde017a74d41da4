"""Bytes that nobody meant, for everything that reads bytes: no error but the documented one, bounded time and memory.

`python -m tests.hostile.fuzz --inputs 1000000` is the campaign; `--seed` repeats one. Most inputs are true records
that were changed: they get deeper than noise does.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from analytics import checkpoint
from contractnet import codec, credentials
from contractnet.cli.directory import DataDirectory
from contractnet.credentials import Credential, PendingRotation, Role
from contractnet.envelope import Sealed, is_proven, open_record, seal
from contractnet.errors import CheckpointError, ContractnetError, CredentialError, UnreadableValueError
from contractnet.messages import commands as c
from contractnet.settings import embedded_bootstrap
from contractnet.signing import KeyPair
from contractnet.topics import LEDGER, SNAPSHOTS
from faults.handmade import varint
from services import state as up_state
from streams.records import ReadableRecords
from streams.snapshots import read_snapshots, write_snapshot
from tests.market.town import PARTITION, small_town
from tests.simulation.memory import MemoryLog

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "messages.json"
GENESIS = bytes(32)
INPUT_MS_MAX = 500.0
"""CPU time that one input may take."""
GROWTH_MB_MAX = 128.0
"""Memory that a campaign may add."""
RARE = 40
"""One input in so many goes to a target that writes files or reads a whole topic."""

LONG = (b"[" * 2000, b'{"a":' * 2000, b"\xff" * 300, b"9" * 5000, b"Infinity", b"1e999")
Target = Callable[[bytes], None]
HeaderList = list[tuple[str, bytes | None]]


def mutated(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Bytes near to `data`: a few changes of the kinds that readers trip over."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(10):
            case 0 if out:
                out[at % len(out)] ^= 1 << rng.randrange(8)
            case 1:
                del out[at:]
            case 2:
                out[at:at] = rng.randbytes(rng.randrange(1, 20))
            case 3:
                out[at : at + 10] = varint(rng.choice((2**31, 2**62, -1, -(2**62), 2**63 - 1, 2**80)))
            case 4:
                del out[at : at + rng.randrange(1, 30)]
            case 5:
                out[at:at] = out[: rng.randrange(len(out) + 1)]
            case 6:
                other = rng.choice(others)
                out[at:] = other[rng.randrange(len(other) + 1) :]
            case 7:
                out[at : at + 1] = rng.choice((b"\0", b"\xff", b"\x80", b"[", b"{", b'"', b"9", b"-", b"e", b"\\u0000"))
            case 8:
                out[at : at + 8] = struct.pack(">q", rng.choice((0, -1, 2**63 - 1, -(2**63))))
            case _:
                out[at:at] = rng.choice(LONG)
    return bytes(out)


@dataclass
class Corpus:
    """True records and files to start from."""

    values: dict[str, list[bytes]]
    """By kind: commands, events, notices."""
    records: list[bytes]
    documents: list[bytes]
    manifests: list[bytes]


class Fuzz:
    """Targets, their corpora, and what they answered."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.folder = folder
        self.answers: Counter[str] = Counter()
        self.slowest_ms: dict[str, float] = {}
        self.log = MemoryLog()
        self.keys = KeyPair.from_seed(bytes(32))
        self.inputs: Counter[str] = Counter()
        self.sealed = [_sealed(self.keys, sequence) for sequence in (1, -1, 2**63 - 1)]
        self.corpus = self._corpus()
        values, files = self.corpus.values, self.corpus.documents
        every = [value for kind in values.values() for value in kind]
        self.common: list[tuple[str, Target, list[bytes]]] = [
            ("decode_command", partial(self._decode, codec.decode_command), values["commands"]),
            ("decode_entry", partial(self._decode, codec.decode_entry), values["events"]),
            ("decode_notice", partial(self._decode, codec.decode_notice), values["notices"]),
            ("open_record", self._open_record, values["commands"]),
            ("other kinds", partial(self._decode, codec.decode_command), every),
            ("record_batch", self._record_batch, self.corpus.records),
        ]
        self.rare: list[tuple[str, Target, list[bytes]]] = [
            ("credential", self._credential, files),
            ("checkpoint", self._checkpoint, files),
            ("data_directory", self._data_directory, files),
            ("snapshot", self._snapshot, self.corpus.manifests),
        ]

    def run(self, inputs: int, chatty: bool = False) -> None:
        """Feed so many inputs. Raises whatever a target raises that it must not, with the input in hex."""
        started_s = time.monotonic()
        for n in range(inputs):
            name, target, corpus = self.rng.choice(self.rare if n % RARE == 0 else self.common)
            data = self._input(corpus)
            self.inputs[name] += 1
            before_s = time.process_time()
            try:
                target(data)
            except Exception as error:  # whatever it is: the input that caused it has to be told
                raise AssertionError(f"{name} raised {error!r} for {data.hex()[:4000]}") from error
            took_ms = (time.process_time() - before_s) * 1000
            if took_ms > self.slowest_ms.get(name, 0.0):
                self.slowest_ms[name] = took_ms
            if chatty and n % 100_000 == 0:
                print(f"{n} inputs, {time.monotonic() - started_s:.0f} s", flush=True)

    def _input(self, corpus: list[bytes]) -> bytes:
        rng = self.rng
        if rng.random() < 0.05:
            return rng.randbytes(rng.choice((0, 1, 9, 10, 11, 60, 500, 70_000)))
        return mutated(rng.choice(corpus), rng, corpus)

    def _corpus(self) -> Corpus:
        values: dict[str, list[bytes]] = {}
        for sample in json.loads(GOLDEN.read_text("utf-8")):
            values.setdefault(sample["record"].partition("/")[0], []).append(bytes.fromhex(sample["hex"]))
        keys = self.keys
        credential = Credential(
            role=Role.AGENT,
            market="default",
            name="ann",
            keys=keys,
            operator="0" * 64,
            genesis=bytes(32),
            account=bytes(16),
            inbox_key=bytes(32),
            partitions=4,
            retired_seeds=(bytes(32),),
            pending=PendingRotation(bytes(32), bytes(16), 7),
        )
        credentials.save(credential, self.folder / "ann.json")
        town, _ = small_town("ann")
        zero = bytes(32)
        parts = tuple(
            checkpoint.Part(p, 1, 2, 3, zero, zero, zero, zero, ((0, "0/0", "x"),), town.canonical()) for p in range(2)
        )
        checkpoint.write(checkpoint.Checkpoint(keys.public, 1, parts), keys, self.folder / "check.json")
        noted = b'{"bootstrap": "127.0.0.1:9092", "pid": 1, "parts": [], "ready": true}'
        documents = [(self.folder / name).read_bytes() for name in ("ann.json", "check.json")]
        self.log.append(LEDGER.name, PARTITION, b"x", b"", [("chain", bytes(32))])
        write_snapshot(self.log.producer({}), town.shard, 1, 0)
        manifests = [s.value or b"" for s in self.log.stored(SNAPSHOTS.name, PARTITION)]
        return Corpus(values, [_batch(value, keys) for value in values["commands"]], [*documents, noted], manifests)

    # Targets. What each may answer is counted; anything else it raises ends the run.

    def _decode(self, decode: Callable[[bytes], codec.Message], data: bytes) -> None:
        try:
            message = decode(data)
        except UnreadableValueError as error:
            self.answers[str(error.reason)] += 1
        else:
            assert decode(codec.encode(message)) == message, "what was decoded has another encoding"
            self.answers["decoded"] += 1

    def _open_record(self, data: bytes) -> None:
        """Half of the headers are a signed command's own with a change or two, the others anything."""
        rng = self.rng
        key = rng.choice((None, b"", b"default", data[:40], rng.randbytes(9)))
        headers = self._any_headers()
        if rng.random() < 0.5:
            sealed = rng.choice(self.sealed)
            headers = self._bent(list(sealed.headers))
            if rng.random() < 0.5:
                key, data = b"default", sealed.value
        submission = open_record(rng.randrange(2**40), rng.choice((0, -1, 2**62)), key, data, headers)
        self.answers["unreadable record" if submission.command is None else "record"] += 1
        self.answers["without credentials" if submission.credentials is None else "with credentials"] += 1
        if is_proven(submission, GENESIS):
            self.answers["proven"] += 1
            signed = [(s.market, s.value, s.command_id) for s in self.sealed]
            assert (submission.market, submission.value, submission.command_id) in signed, "nobody has signed this"

    def _any_headers(self) -> HeaderList:
        rng = self.rng
        names = ("key", "salt", "seq", "sig", "", "\0", "KEY")
        sizes = (32, 16, 8, 64, 0, 1)
        return [
            (rng.choice(names), rng.choice((None, rng.randbytes(rng.choice(sizes))))) for _ in range(rng.randrange(7))
        ]

    def _bent(self, headers: HeaderList) -> HeaderList:
        """Up to two changes: of a header's bytes, its place, its name; one more, one less, one twice."""
        rng = self.rng
        for _ in range(rng.choice((0, 1, 1, 2))):
            at = rng.randrange(len(headers))
            name, value = headers[at]
            match rng.randrange(7):
                case 0:
                    headers[at] = (name, rng.randbytes(len(value or b"")))
                case 1:
                    headers[at] = (name, mutated(value or b"", rng, [b"x" * 70]))
                case 2:
                    headers.append(headers.pop(at))
                case 3:
                    headers[at] = (rng.choice(("", name.upper(), name + "\0x", "\u00e9")), value)
                case 4:
                    headers.insert(at, (rng.choice(("key", "extra")), rng.choice((None, b"", rng.randbytes(70_000)))))
                case 5 if len(headers) > 1:
                    del headers[at]
                case _:
                    headers.insert(rng.randrange(len(headers)), headers[at])
        return headers

    def _record_batch(self, data: bytes) -> None:
        """A broker checks lengths and checksums before it stores a batch: what varies is names and values."""
        from faults.handmade import RawRecord, plain

        header = (data[:5], data[5:20])
        batch = ReadableRecords(plain([RawRecord(b"k", data, (header,)), RawRecord(b"k", b"v")])).next_batch()
        assert batch is not None
        assert [r.value for r in batch] == [data, b"v"]
        self.answers["batch"] += 1

    def _credential(self, data: bytes) -> None:
        path = self.folder / "fuzzed.json"
        path.write_bytes(data)
        path.chmod(0o600)
        self._expect(CredentialError, lambda: credentials.load(path))

    def _checkpoint(self, data: bytes) -> None:
        path = self.folder / "fuzzed.check"
        path.write_bytes(data)
        self._expect(CheckpointError, lambda: checkpoint.read(path, frozenset({KeyPair.from_seed(bytes(32)).public})))

    def _data_directory(self, data: bytes) -> None:
        directory = DataDirectory(self.folder / "data")
        for file in (directory.state, directory.lock, directory.path / "VERSION", directory.path / "broker/bootstrap"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        for read in (directory.bootstrap, directory.check, lambda: up_state.read(directory)):
            self._expect(ContractnetError, read)
        self._expect(ContractnetError, lambda: up_state.read_pid(directory))
        self._expect(ContractnetError, lambda: embedded_bootstrap(directory.path))

    def _snapshot(self, data: bytes) -> None:
        key = self.rng.choice((b"1/manifest", b"1/0", b"0/manifest", data[:20]))
        self.log.append(SNAPSHOTS.name, PARTITION, key, data, [])
        found = read_snapshots("", PARTITION, self.log.as_log())
        self.answers["snapshot" if found else "no snapshot"] += 1
        self.log.partition(SNAPSHOTS.name, PARTITION).slots.pop()

    def _expect(self, kind: type[Exception], call: Callable[[], object]) -> None:
        try:
            call()
        except kind:
            self.answers[kind.__name__] += 1
        else:
            self.answers["read"] += 1


def _sealed(keys: KeyPair, sequence: int) -> Sealed:
    command = c.WithdrawBid(bytes(16))
    return seal(command, market="default", genesis=GENESIS, keys=keys, sequence=sequence, salt=bytes(16))


def _batch(value: bytes, keys: KeyPair) -> bytes:
    return _sealed(keys, 1).value + value


def memory_mb() -> float:
    """The most memory that this process has had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """The command line; exit code 1 for an input that breaks something."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"fuzz: inputs={options.inputs} seed={options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="contractnet-fuzz-") as folder:
        fuzz = Fuzz(Path(folder), options.seed)
        fuzz.run(min(1_000, options.inputs))
        before_mb, started_s = memory_mb(), time.monotonic()
        fuzz.run(options.inputs, chatty=True)
    grown_mb = memory_mb() - before_mb
    slowest = max(fuzz.slowest_ms, key=lambda name: fuzz.slowest_ms[name])
    print("answers: " + ", ".join(f"{name} {count}" for name, count in fuzz.answers.most_common()))
    print("inputs: " + ", ".join(f"{name} {count}" for name, count in fuzz.inputs.most_common()))
    print(
        f"fuzz: inputs={options.inputs} seed={options.seed} crashes=0 seconds={time.monotonic() - started_s:.0f} "
        f"max_ms={fuzz.slowest_ms[slowest]:.1f} ({slowest}) grown_mb={grown_mb:.1f}"
    )
    return int(fuzz.slowest_ms[slowest] > INPUT_MS_MAX or grown_mb > GROWTH_MB_MAX)


if __name__ == "__main__":
    sys.exit(main())
