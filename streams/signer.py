"""A process that checks signatures for a worker: `python -m streams.signer`, started by streams/signatures.py.

It reads pickled lists of (key, signature, message) from its input and writes one byte for each, 1 where the signature
holds. It ends with its input, and so never outlives a worker, however that ends.
"""

from __future__ import annotations

import pickle
import signal
import sys

from contractnet.signing import verify


def main() -> None:
    """Answer until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the worker ends us
    while True:
        try:
            claims = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        sys.stdout.buffer.write(bytes(verify(*claim) for claim in claims))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
