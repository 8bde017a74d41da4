"""A broker in a container: the official image, through testcontainers."""

from __future__ import annotations

from types import TracebackType

import docker
from docker.errors import DockerException
from docker.models.containers import Container
from requests.exceptions import RequestException
from testcontainers.core.container import DockerContainer

from broker.interface import Broker
from broker.ports import find_free
from broker.ready import wait_until_ready
from broker.settings import CONTAINER_HOST, CONTAINER_PORT, IMAGE, as_environment, container, node_settings
from broker.storage import new_id
from contractnet.errors import BrokerNotRunningError, BrokerStartError, DockerUnavailableError

_PING_TIMEOUT_S = 2
_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 20


def why_no_engine() -> str | None:
    """Why no container engine can be used here; None when one answers."""
    try:
        client = docker.from_env(timeout=_PING_TIMEOUT_S)
        try:
            client.ping()
        finally:
            client.close()
    except (DockerException, RequestException) as error:
        return str(error)
    return None


class DockerBroker(Broker):
    """A broker in a container of its own, on a free loopback port that stays the same over restarts.

    `stop` keeps the container with its data; leaving the context, or `remove`, deletes both.
    """

    def __init__(self) -> None:
        self._port = find_free()
        self._container: DockerContainer | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start the container. Errors: `DockerUnavailableError`, `BrokerStartError`, `BrokerUnreachableError`."""
        if reason := why_no_engine():
            raise DockerUnavailableError(
                f"No container engine answers ({reason}). Start Docker or Podman (DOCKER_HOST names its socket), "
                f"or use the embedded broker, which needs none."
            )
        ready = False
        try:
            self._launch()
            wait_until_ready(self.bootstrap, _START_TIMEOUT_S)
            ready = True
        except DockerException as error:
            raise BrokerStartError(f"The container of {IMAGE} did not start: {error}") from error
        finally:
            # Also after Ctrl-C: a container that nobody waited for must not stay running.
            if not ready:
                self.stop()

    def stop(self) -> None:
        if self._container is not None:
            self._running().stop(timeout=_STOP_TIMEOUT_S)

    def kill(self) -> None:
        self._running().kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def remove(self) -> None:
        """Delete the container and its data. Without a container, nothing happens."""
        if self._container is not None:
            self._container.stop(force=True, delete_volume=True)
            self._container = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def _launch(self) -> None:
        if self._container is not None:
            self._running().start()
            return
        described = self._described()
        described.start()
        self._container = described

    def _described(self) -> DockerContainer:
        settings = as_environment(node_settings(container(self._port)))
        # The broker sends the ends of transactions to itself, by the name that it has for other containers.
        described = DockerContainer(IMAGE, env={**settings, "CLUSTER_ID": new_id()}, hostname=CONTAINER_HOST)
        # docker-py publishes on this address only; testcontainers' own method would publish on every interface.
        described.ports[f"{CONTAINER_PORT}/tcp"] = ("127.0.0.1", self._port)  # type: ignore[assignment]
        return described

    def _running(self) -> Container:
        if self._container is None:
            raise BrokerNotRunningError("The broker's container was never started, or has been removed.")
        return self._container.get_wrapped_container()
