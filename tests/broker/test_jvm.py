"""What is particular to the embedded broker: its lock, its port, its files, its life apart from ours."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from broker.interface import Broker
from broker.jvm import JvmBroker, running_bootstrap
from broker.lock import is_locked, read_pid
from broker.ports import answers, find_free
from contractnet.errors import (
    BrokerDataError,
    BrokerInUseError,
    BrokerNotRunningError,
    BrokerStartError,
    PortTakenError,
)
from tests.broker.contract import create_topic, produce, read_all

pytestmark = pytest.mark.broker

ROOT = Path(__file__).parents[2]
# What another process runs: it starts a broker in the directory of its argument, and ends.
START = "import sys, pathlib; from broker.jvm import JvmBroker; JvmBroker(pathlib.Path(sys.argv[1]), port=0).start()"


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on loopback that a program, not a broker, listens on."""
    with socket.create_server(("127.0.0.1", find_free())) as server:
        yield server.getsockname()[1]


def test_a_second_broker_in_the_directory_is_refused(tmp_path: Path) -> None:
    """The refusal names the pid that has the directory, and the first broker goes on."""
    with JvmBroker(tmp_path, port=0) as first:
        with pytest.raises(BrokerInUseError, match=rf"pid {first.pid}\b.*contractnet broker stop"):
            JvmBroker(tmp_path, port=0).start()
        with pytest.raises(BrokerInUseError, match=str(first.pid)):
            first.start()
        create_topic(first.bootstrap)


def test_a_stale_lock_is_recognised(tmp_path: Path) -> None:
    """A lock file that names a live pid, but that nobody has locked, stops nobody."""
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "lock").write_text(f"{os.getpid()}\n")
    (tmp_path / "broker" / "bootstrap").write_text("127.0.0.1:1\n")
    assert running_bootstrap(tmp_path) is None
    with JvmBroker(tmp_path, port=0) as broker:
        assert broker.pid != os.getpid()
        assert (tmp_path / "broker" / "lock").read_text() == f"{broker.pid}\n"


def test_another_port_is_taken_where_the_first_belongs_to_a_program(tmp_path: Path, taken_port: int) -> None:
    """The broker takes a free port, tells it, and keeps it over a restart."""
    with JvmBroker(tmp_path, port=taken_port) as broker:
        address = broker.bootstrap
        assert address != f"127.0.0.1:{taken_port}"
        assert running_bootstrap(tmp_path) == address
        broker.restart()
        assert running_bootstrap(tmp_path) == address


def test_a_fixed_port_that_is_taken_is_an_error(tmp_path: Path, taken_port: int) -> None:
    """Where no other port is allowed, the error names the port, and nothing is left running."""
    broker = JvmBroker(tmp_path, port=taken_port, port_fixed=True)
    with pytest.raises(PortTakenError, match=str(taken_port)):
        broker.start()
    assert broker.pid is None


def test_only_this_machine_can_reach_it(tmp_path: Path) -> None:
    """All of the broker's sockets listen on 127.0.0.1."""
    with JvmBroker(tmp_path, port=0) as broker:
        listening = _listening_addresses(broker.pid or 0)
        assert len(listening) == 2, "the broker and its controller"
        assert set(listening) == {"127.0.0.1"}


def test_it_outlives_its_starter_and_can_be_stopped_by_another(tmp_path: Path) -> None:
    """A broker that one process started serves on after that process's end; `attach` uses it and stops it."""
    subprocess.run([sys.executable, "-c", START, str(tmp_path)], cwd=ROOT, check=True, timeout=120)
    broker = JvmBroker.attach(tmp_path)
    assert broker.bootstrap == running_bootstrap(tmp_path)
    topic = create_topic(broker.bootstrap)
    produce(broker.bootstrap, topic, [b"kept"])
    address = broker.bootstrap
    broker.restart()
    assert broker.bootstrap == address
    assert read_all(address, topic) == [b"kept"]
    JvmBroker.attach(tmp_path).stop()
    assert running_bootstrap(tmp_path) is None
    assert not answers(int(address.rpartition(":")[2]))
    with pytest.raises(BrokerNotRunningError, match="contractnet broker start"):
        JvmBroker.attach(tmp_path)


def test_a_broker_killed_by_somebody_else_counts_as_gone(tmp_path: Path) -> None:
    """After a kill from outside, the address file left behind fools nobody, and a new start needs no cleaning up."""
    with JvmBroker(tmp_path, port=0) as broker:
        os.kill(broker.pid or 0, signal.SIGKILL)
        while broker.pid:
            pass
        assert (tmp_path / "broker" / "bootstrap").exists()
        assert running_bootstrap(tmp_path) is None
        with pytest.raises(BrokerNotRunningError):
            broker.kill()
        broker.start()
        assert running_bootstrap(tmp_path) == broker.bootstrap


def test_data_of_another_version_is_refused(tmp_path: Path) -> None:
    """Data of another Kafka version is not touched, and the error names both versions."""
    with JvmBroker(tmp_path, port=0):
        pass
    (tmp_path / "broker" / "kafka.version").write_text("9.9.9\n")
    with pytest.raises(BrokerDataError, match=r"9\.9\.9.*4\.3\.1"):
        JvmBroker(tmp_path, port=0).start()


def test_an_end_while_starting_points_to_the_log(tmp_path: Path) -> None:
    """When Kafka can't start, the error gives the log's path and its last lines at once, not after the timeout."""
    broker = JvmBroker(tmp_path, port=0)
    data = tmp_path / "broker" / "data"
    with broker:
        pass
    (data / "bootstrap.checkpoint").unlink()
    (data / "meta.properties").write_text("version=1\ncluster.id=AAAAAAAAAAAAAAAAAAAAAA\nnode.id=1\ndirectory.id=x\n")
    with pytest.raises(BrokerStartError, match="ended while it started") as raised:
        broker.start()
    assert str(broker.log_path) in str(raised.value)
    assert "directory.id" in str(raised.value) or "Exception" in str(raised.value)
    assert broker.pid is None


def test_an_interrupted_start_leaves_nothing_running(tmp_path: Path) -> None:
    """Ctrl-C while the broker starts ends the broker too, and the directory can be used again."""
    starter = subprocess.Popen(
        [sys.executable, "-c", START, str(tmp_path)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    lock = tmp_path / "broker" / "lock"
    while read_pid(lock) in (None, starter.pid):
        assert starter.poll() is None, starter.communicate()[1]
    starter.send_signal(signal.SIGINT)
    starter.communicate(timeout=60)
    # Not asked for KeyboardInterrupt: within confluent-kafka's constructor, Ctrl-C comes out as a TypeError.
    assert starter.returncode != 0
    assert not is_locked(lock)
    assert running_bootstrap(tmp_path) is None
    with JvmBroker(tmp_path, port=0) as broker:
        create_topic(broker.bootstrap)


def test_a_port_lost_in_between_is_replaced(tmp_path: Path, taken_port: int) -> None:
    """When another program takes the chosen port before Kafka binds it, the start goes on with the next port."""

    class Unlucky(JvmBroker):
        choices = 0

        def _choose_port(self) -> None:
            self.choices += 1
            self._port = taken_port if self.choices == 1 else find_free()

    with Unlucky(tmp_path, port=0) as broker:
        assert broker.choices == 2
        assert broker.bootstrap != f"127.0.0.1:{taken_port}"
        create_topic(broker.bootstrap)


def test_the_last_port_is_used_again(tmp_path: Path, taken_port: int) -> None:
    """A broker that had to take another port keeps it after a stop, also when its first choice is free again."""
    with JvmBroker(tmp_path, taken_port) as broker:
        address = broker.bootstrap
    assert address != f"127.0.0.1:{taken_port}"
    with JvmBroker(tmp_path, find_free()) as broker:
        assert broker.bootstrap == address


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_any_path_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locale: str) -> None:
    """Spaces, backslashes, quotes and letters beyond ASCII in the data directory's path are no obstacle."""
    monkeypatch.setenv("LC_ALL", locale)
    with JvmBroker(tmp_path / "a b=c\\d'e é 数据 🜁", port=0) as broker:
        topic = create_topic(broker.bootstrap)
        produce(broker.bootstrap, topic, [b"kept"])
        broker.restart()
        assert read_all(broker.bootstrap, topic) == [b"kept"]


def test_a_comma_in_the_path_is_refused(tmp_path: Path) -> None:
    """Kafka would read two directories, so the error says so before anything starts."""
    with pytest.raises(BrokerDataError, match="comma"):
        JvmBroker(tmp_path / "a,b", port=0).start()


def test_the_session_broker_is_shared(broker: Broker) -> None:
    """The fixture that other folders use is a started broker."""
    create_topic(broker.bootstrap)


def _listening_addresses(pid: int) -> list[str]:
    return [
        each.laddr.ip.removeprefix("::ffff:")
        for each in psutil.Process(pid).net_connections()
        if each.status == psutil.CONN_LISTEN
    ]
