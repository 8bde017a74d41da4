"""Access control on a real broker: what each role may do, tried with real clients."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from broker.jvm import JvmBroker
from broker.ports import find_free
from broker.security import USER, Security
from contractnet.access import PLAINTEXT, Access, client_settings, scram
from contractnet.errors import AccessRefusedError, BrokerUnreachableError
from contractnet.principals import Principals, new_password
from contractnet.refusals import check_access
from contractnet.rights import APP_ID, ROLES, rights
from faults.hostile.attempts import join, read, transact, write
from faults.hostile.rights import cells

pytestmark = [pytest.mark.broker]

TOPICS = ("commands", "ledger", "notices", "snapshots")
# By hand, not from the table that makes the ACLs: role, what it may write, what it may read, and the group it names.
MAY = {
    "agent": ({"commands"}, {"notices"}, "contractnet-notices"),
    "referee": (
        {"commands", "ledger", "notices"},
        {"commands", "ledger", "notices", "snapshots"},
        "contractnet-reader-1",
    ),
    "snapshotter": ({"snapshots"}, {"ledger", "notices", "snapshots"}, "contractnet-reader-1"),
    "judge": ({"commands"}, {"ledger", "notices"}, "contractnet-notices"),
    "projector": (set(), {"ledger", "notices"}, "contractnet-projector"),
    "auditor": (set(), {"commands", "ledger", "notices", "snapshots"}, "contractnet-verify-1"),
    "operator": ({"commands"}, {"ledger", "notices"}, "contractnet-reader-1"),
}
FORBIDDEN = "TOPIC_AUTHORIZATION_FAILED"
FORBIDDEN_TO_AGENTS = cells("mine")


@dataclass(frozen=True, slots=True)
class Guarded:
    """A broker with access control, its topics with a record each, and what everybody shows it."""

    broker: JvmBroker
    security: Security
    data: Path
    access: dict[str, Access]

    @property
    def bootstrap(self) -> str:
        return self.broker.bootstrap

    @property
    def controller(self) -> str:
        """The address of the controller's listener."""
        text = (self.data / "broker" / "server.properties").read_text()
        found = re.search(r"^listeners=.*CONTROLLER://([0-9.]+:[0-9]+)", text, re.MULTILINE)
        assert found is not None
        return found[1]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The one of all tests here."""
    data, security = tmp_path_factory.mktemp("guarded"), Security(new_password())
    with JvmBroker(data, port=0, security=security, notify=print) as broker:
        admin = AdminClient(client_settings(broker.bootstrap, security.access))
        for created in admin.create_topics([NewTopic(name, 1, 1) for name in TOPICS]).values():
            created.result(20)
        principals = Principals(broker.bootstrap, security.access)
        principals.allow(rights())
        passwords = {role: new_password() for role in ROLES}
        principals.set_passwords(passwords)
        access = {role: scram(role, password) for role, password in passwords.items()}
        access["agent"] = principals.new_agents(1)[0]
        for name in TOPICS:
            assert write(broker.bootstrap, security.access, name) is None
        yield Guarded(broker, security, data, access)


@pytest.mark.parametrize("role", MAY)
def test_each_role_writes_and_reads_what_is_its_own(guarded: Guarded, role: str) -> None:
    """A role writes and reads the topics of its task, and the broker refuses it every other one."""
    writes, reads, group = MAY[role]
    access = guarded.access[role]
    written = {name: write(guarded.bootstrap, access, name) for name in TOPICS}
    assert written == {name: None if name in writes else FORBIDDEN for name in TOPICS}
    found = {name: read(guarded.bootstrap, access, name, group) for name in TOPICS}
    assert found == {name: None if name in reads else FORBIDDEN for name in TOPICS}


@pytest.mark.parametrize("name", [f"{APP_ID}-0", f"{APP_ID}-judge", "mine", "agent"])
@pytest.mark.parametrize("role", [role for role in MAY if role != "referee"])
def test_only_a_referee_has_transactions(guarded: Guarded, role: str, name: str) -> None:
    """Nobody else takes a transactional id, of the referees or of its own: it could fence them, or hold up readers."""
    assert transact(guarded.bootstrap, guarded.access[role], name) == "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"


def test_a_referee_has_its_own_transactions_only(guarded: Guarded) -> None:
    """A referee's ids begin with the name of its group."""
    assert transact(guarded.bootstrap, guarded.access["referee"], f"{APP_ID}-0") is None
    assert transact(guarded.bootstrap, guarded.access["referee"], "other-0") == "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"


def test_an_agent_is_refused_everything_else(guarded: Guarded) -> None:
    """Every topic, group, transactional id and step of administration, by librdkafka and by requests of its own making:
    the section `hostile` of the fault campaign tries the same."""
    tried = {cell.what: cell.attempt(guarded.bootstrap, guarded.access["agent"]) for cell in FORBIDDEN_TO_AGENTS}
    assert tried == {cell.what: cell.refusal for cell in FORBIDDEN_TO_AGENTS}


@pytest.mark.parametrize("role", [role for role in MAY if role not in ("agent", "referee")])
def test_only_referees_join_their_group(guarded: Guarded, role: str) -> None:
    """The consumer group of the referees takes referees only."""
    assert join(guarded.bootstrap, guarded.access[role], "notices", APP_ID) == "GROUP_AUTHORIZATION_FAILED"
    assert join(guarded.bootstrap, guarded.access["referee"], "commands", APP_ID) is None


@pytest.mark.parametrize("role", [role for role in MAY if role not in ("agent", "operator")])
@pytest.mark.parametrize("step", ["create mine", "delete commands", "cut commands", "take operator", "allow everybody"])
def test_only_the_operator_administers(guarded: Guarded, role: str, step: str) -> None:
    """Nobody else makes or deletes topics, cuts the log, gives itself a user or a right."""
    cell = next(cell for cell in FORBIDDEN_TO_AGENTS if cell.what == step)
    assert cell.attempt(guarded.bootstrap, guarded.access[role]) == cell.refusal


@pytest.mark.parametrize("role", MAY)
def test_only_the_operator_sees_who_has_a_user(guarded: Guarded, role: str) -> None:
    """Others are refused in words, which their process survives."""
    principals = Principals(guarded.bootstrap, guarded.access[role])
    if role == "operator":
        assert set(ROLES) <= principals.users()
    else:
        with pytest.raises(AccessRefusedError, match="does not allow"):
            principals.users()


def test_wrong_credentials_are_told_at_once(guarded: Guarded) -> None:
    """A wrong password, an unknown user, an agent over PLAIN and a guess at the broker's own are refused in words."""
    agent = guarded.access["agent"]
    assert agent.user is not None
    plain = {**agent.settings, "sasl.mechanism": "PLAIN"}
    for wrong in (
        scram(agent.user, "wrong"),
        scram("nobody", "wrong"),
        scram(USER, guarded.security.password),
        Access(plain),
        Security("guess").access,
    ):
        with pytest.raises(AccessRefusedError, match="does not accept the credentials") as told:
            check_access(guarded.bootstrap, 30, wrong)
        assert wrong.settings["sasl.password"] not in str(told.value)


def test_nobody_is_let_in_without_credentials(guarded: Guarded) -> None:
    """A plaintext client is not answered, neither by the broker nor by its controller, and is told what is missing."""
    for address in (guarded.bootstrap, guarded.controller):
        with pytest.raises(BrokerUnreachableError, match="CONTRACTNET_ACCESS"):
            check_access(address, 2, PLAINTEXT)


@pytest.mark.parametrize("role", ["agent", "referee", "operator"])
def test_the_controller_takes_the_broker_only(guarded: Guarded, role: str) -> None:
    """No user but the broker's gets past the controller's listener, whatever the mechanism."""
    access = guarded.access[role]
    for mechanism in ("SCRAM-SHA-512", "PLAIN"):
        with pytest.raises(AccessRefusedError):
            check_access(guarded.controller, 10, Access({**access.settings, "sasl.mechanism": mechanism}))


def test_the_password_is_in_one_file_of_the_owner(guarded: Guarded) -> None:
    """The broker's password is in its settings (0600) and in no log; nobody else lists its data."""
    broker = guarded.data / "broker"
    assert stat.S_IMODE((broker / "server.properties").stat().st_mode) == 0o600
    assert stat.S_IMODE((broker / "data").stat().st_mode) == 0o700
    holders = {
        path.name
        for path in broker.rglob("*")
        if path.is_file() and guarded.security.password.encode() in path.read_bytes()
    }
    assert holders == {"server.properties"}


def test_data_of_a_plain_broker_comes_up_guarded(tmp_path: Path) -> None:
    """The same directory is started without access control and with it, in turns, and keeps its records."""
    security = Security(new_password())
    with JvmBroker(tmp_path, port=0) as plain:
        admin = AdminClient(client_settings(plain.bootstrap))
        for created in admin.create_topics([NewTopic("ledger", 1, 1)]).values():
            created.result(20)
        assert write(plain.bootstrap, PLAINTEXT, "ledger") is None
    with JvmBroker(tmp_path, port=0, security=security) as guarded:
        with pytest.raises(BrokerUnreachableError):
            check_access(guarded.bootstrap, 1, PLAINTEXT)
        assert read(guarded.bootstrap, security.access, "ledger", "any") is None
        stranger = Principals(guarded.bootstrap, security.access).new_agents(1)[0]
        assert read(guarded.bootstrap, stranger, "ledger", "any") in (FORBIDDEN, "GROUP_AUTHORIZATION_FAILED")
    with JvmBroker(tmp_path, port=0) as plain:
        assert read(plain.bootstrap, PLAINTEXT, "ledger", "any") is None


def test_a_port_lost_to_another_guarded_broker_is_replaced(tmp_path: Path, guarded: Guarded) -> None:
    """Two that come up at once may choose the same port: the one that loses it is refused by the other, and goes on
    with another port."""

    class Unlucky(JvmBroker):
        choices = 0

        def _choose_port(self) -> None:
            self.choices += 1
            self._port = int(guarded.bootstrap.rpartition(":")[2]) if self.choices == 1 else find_free()

    security = Security(new_password())
    with Unlucky(tmp_path, port=0, security=security) as broker:
        assert broker.choices == 2
        assert broker.bootstrap != guarded.bootstrap
        check_access(broker.bootstrap, 1, security.access)
