"""The command `contractnet`.

Exit codes: 0 done; 1 it did not work, and one or two lines on stderr say what to do; 2 the command line makes no sense;
130 Ctrl-C.
"""

from __future__ import annotations

import os
import sys

EXIT_ERROR = 1


def main() -> None:
    """Run the command line of this process, and exit."""
    from confluent_kafka import KafkaException

    from contractnet.cli.commands import app
    from contractnet.cli.root import debugging
    from contractnet.errors import ContractnetError
    from contractnet.refusals import is_refusal
    from contractnet.terminal import printable

    # What this program and its children write is for their user alone: the broker's log holds everybody's bids.
    os.umask(0o077)
    try:
        # Typer itself exits with 2 for a wrong command line, 130 after Ctrl-C, and quietly where a pipe was closed.
        app()
    except ContractnetError as error:
        if debugging():
            raise
        print(printable(f"contractnet: {error}"), file=sys.stderr)
        sys.exit(EXIT_ERROR)
    except KafkaException as error:
        if debugging():
            raise
        problem = error.args[0]
        advice = (
            "CONTRACTNET_ACCESS names the file of a role that may."
            if is_refusal(problem)
            else "Look at the broker with `contractnet status`;"
        )
        print(
            printable(
                f"contractnet: Kafka refused: {problem.str()} ({problem.name()}). {advice} "
                f"--debug shows where it happened."
            ),
            file=sys.stderr,
        )
        sys.exit(EXIT_ERROR)
