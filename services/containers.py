"""The one-shot steps of docker-compose.yml.

`python -m services.containers prepare` before the workers start: the operator's key, which they trust, the broker's
users and rights (CONTRACTNET_BROKER_PASSWORD is that of its own user), and the topics.
`python -m services.containers open` once they run: the market, unless it is open, with a call for resales of
CONTRACTNET_RESALE_CALL (5s). Both can be repeated.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from broker.security import Security
from contractnet.access import act_as
from contractnet.cli.directory import DataDirectory
from contractnet.cli.durations import call_seconds_of
from contractnet.errors import ContractnetError
from contractnet.settings import MARKET_DEFAULT, bootstrap, data_dir
from services.access import admit
from services.guards import RESALE_CALL_S, off_at_first, off_line
from services.opening import open_market, operator_keys
from streams.settings import Settings
from streams.topics import create_topics

log = logging.getLogger(__name__)
EXIT_USAGE = 2
PASSWORD_ENV = "CONTRACTNET_BROKER_PASSWORD"
RESALE_ENV = "CONTRACTNET_RESALE_CALL"


def prepare(directory: DataDirectory, market: str) -> None:
    """Make the operator's key, the users and the topics. Raises KafkaException where the broker does not answer."""
    directory.prepare()
    operator_keys(directory, market)
    password = os.environ.get(PASSWORD_ENV)
    if password:
        admit(directory, bootstrap(data=directory.path), Security(password), log.info)
        act_as("operator", directory.path)
    settings = Settings.from_environment()
    made = create_topics(settings.bootstrap, settings.partitions, settings.replication)
    log.info("topics on %s: created %s", settings.bootstrap, ", ".join(made) or "none, all were there")


def open_once(directory: DataDirectory, market: str) -> None:
    """Open the market unless it is open."""
    text = os.environ.get(RESALE_ENV)
    call_s = call_seconds_of(text, RESALE_ENV) if text else RESALE_CALL_S
    address = bootstrap(data=directory.path)
    opening = asyncio.run(open_market(directory, address, market, signed=True, resale_call_s=call_s))
    log.info("market %r %s", market, "opened" if opening.now else "was open")
    if opening.now:
        log.info("%s", off_line(off_at_first(call_s), "docker compose run --rm cli"))


def main() -> int:
    """Run the step that the argument names."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    steps = {"prepare": prepare, "open": open_once}
    step = steps.get(sys.argv[1]) if len(sys.argv) == 2 else None
    if step is None:
        log.error("usage: python -m services.containers prepare|open")
        return EXIT_USAGE
    try:
        step(DataDirectory(data_dir()), os.environ.get("CONTRACTNET_MARKET", MARKET_DEFAULT))
    except ContractnetError as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
