"""The command `contractnet`.

Exit codes: 0 done; 1 it did not work, and one or two lines on stderr say what to do; 2 the command line makes no sense;
130 Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130
_MOMENT_S = 0.02


def interrupt_again(unraisable: sys.UnraisableHookArgs) -> None:
    """A hook for what Python cannot raise. A Ctrl-C that comes while an object is finalized would be printed and
    forgotten: it is sent once more, a moment later, as it would be lost in here as well."""
    if unraisable.exc_type is KeyboardInterrupt:
        main_thread = threading.main_thread().ident
        assert main_thread is not None, "it runs"
        threading.Timer(_MOMENT_S, signal.pthread_kill, (main_thread, signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(unraisable)


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether a Ctrl-C is what led to an error: C code that asks Python something may answer one with another error."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


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
    sys.unraisablehook = interrupt_again
    try:
        # Typer itself exits with 2 for a wrong command line, 130 after Ctrl-C, and quietly where a pipe was closed.
        app()
    except SystemError as error:
        if not _was_interrupted(error):
            raise
        print("Aborted!", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
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
