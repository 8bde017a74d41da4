"""A cluster that somebody else runs: topics made in another way, and the quotas that its administrator sets."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.cimpl import NewTopic

from broker.jars import ensure_jars
from broker.java import find_java
from broker.jvm import JvmBroker
from broker.security import Security
from contractnet.access import ACCESS_ENV, client_settings, save_access, scram
from contractnet.errors import AccessRefusedError, SettingsError
from contractnet.principals import Principals, new_password
from contractnet.rights import AGENT_QUOTAS, ROLES, UNLIMITED, rights
from contractnet.topics import TOPICS
from streams.topics import create_topics
from tests.cli.command import contractnet

pytestmark = [pytest.mark.broker, pytest.mark.slow]
TOOL = "kafka.admin.ConfigCommand"
# What a topic is kept by where nobody says anything, or means well.
WRONG = [
    ("commands", "message.timestamp.type", "CreateTime"),
    ("commands", "retention.ms", "604800000"),
    ("commands", "cleanup.policy", "compact"),
    ("commands", "compression.type", "producer"),
    ("commands", "max.message.bytes", "1048588"),
    ("ledger", "retention.bytes", "1000000"),
    ("ledger", "message.timestamp.type", "LogAppendTime"),
    ("notices", "retention.ms", "3600000"),
    ("snapshots", "cleanup.policy", "delete"),
]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A broker with access control, and its administrator's file for Kafka's own tools."""

    bootstrap: str
    security: Security
    administrator: Path

    def run(self, command: str) -> str:
        """Run a printed command of kafka-configs.sh; what it prints."""
        name, *arguments = shlex.split(command)
        assert name == "kafka-configs.sh"
        arguments = [str(self.administrator) if each == "admin.properties" else each for each in arguments]
        jars = os.pathsep.join(map(str, ensure_jars()))
        begin = [str(find_java().launcher), "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", jars, TOOL]
        ended = subprocess.run([*begin, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One for all tests here, with the rights of the market and no topic."""
    folder, security = tmp_path_factory.mktemp("existing"), Security(new_password())
    file = folder / "admin.properties"
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    settings = security.access.settings
    own = f'{module} required username="{settings["sasl.username"]}" password="{settings["sasl.password"]}";'
    file.touch(mode=0o600)
    file.write_text(f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config={own}\n")
    with JvmBroker(folder, port=0, security=security, notify=print) as broker:
        Principals(broker.bootstrap, security.access).allow(rights())
        yield Cluster(broker.bootstrap, security, file)


@pytest.fixture(autouse=True)
def operator(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process, and those that it starts, act as the operator: what `up` is on a cluster of somebody else's."""
    password = new_password()
    Principals(cluster.bootstrap, cluster.security.access).set_passwords({"operator": password})
    save_access(scram("operator", password), tmp_path / "operator.properties")
    monkeypatch.setenv(ACCESS_ENV, str(tmp_path / "operator.properties"))


def test_a_topic_that_was_made_in_another_way_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    """Made without settings, `commands` has its writers' stamps: `up` does not start, and what it says helps."""
    admin = AdminClient(client_settings(cluster.bootstrap, cluster.security.access))
    admin.create_topics([NewTopic("commands", 4, 1)])["commands"].result(20)
    ended = contractnet(
        "--data", tmp_path / "data", "--bootstrap", cluster.bootstrap, "up", env={ACCESS_ENV: os.environ[ACCESS_ENV]}
    )
    assert ended.returncode == 1
    assert "message.timestamp.type is CreateTime, not LogAppendTime" in ended.stderr
    with pytest.raises(SettingsError) as told:
        create_topics(cluster.bootstrap, 4, 1)
    cluster.run(str(told.value).partition("stored in it: ")[2].partition(" (or delete")[0])
    assert create_topics(cluster.bootstrap, 4, 1) == []


@pytest.mark.parametrize(("topic", "name", "value"), WRONG)
def test_every_setting_that_the_market_hangs_on_is_looked_at(
    cluster: Cluster, topic: str, name: str, value: str
) -> None:
    """One of them changed, the topics are refused by its name; changed back, they are taken."""
    create_topics(cluster.bootstrap, 4, 1)
    right = next(each for each in TOPICS if each.name == topic).config
    _alter(cluster, topic, {name: value})
    with pytest.raises(SettingsError, match=f"{name} is {value}, not"):
        create_topics(cluster.bootstrap, 4, 1)
    _alter(cluster, topic, right)
    assert create_topics(cluster.bootstrap, 4, 1) == []


def test_who_may_not_look_is_told(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a cluster whose rights are of an earlier version the operator may not see configurations: no topic passes
    unseen, and the error names the way out."""
    create_topics(cluster.bootstrap, 4, 1)
    principals, password = Principals(cluster.bootstrap, cluster.security.access), new_password()
    principals.set_passwords({"former": password})
    old = [r for r in rights() if r.user == "operator" and (r.resource, r.operation) != ("topic", "describe_configs")]
    principals.allow(type(r)("former", r.resource, r.name, r.operation) for r in old)
    save_access(scram("former", password), tmp_path / "former.properties")
    monkeypatch.setenv(ACCESS_ENV, str(tmp_path / "former.properties"))
    with pytest.raises(AccessRefusedError, match="contractnet access show"):
        create_topics(cluster.bootstrap, 4, 1)


def test_the_printed_quotas_are_those_of_our_own_broker(cluster: Cluster) -> None:
    """Kafka's own tool takes what `access show` prints for agents and for each role, and has it then."""
    shown = contractnet("--bootstrap", cluster.bootstrap, "access", "show").stdout.splitlines()
    commands = [line for line in shown if line.startswith("kafka-configs.sh")]
    assert len(commands) == 1 + len(ROLES)
    assert [line for line in commands if "--entity-default" in line] == commands[-1:], "roles are exempt before"
    for command in (commands[0], commands[-1]):
        cluster.run(command)
    described = cluster.run(
        f"kafka-configs.sh --bootstrap-server {cluster.bootstrap} --command-config admin.properties "
        f"--describe --entity-type users"
    )
    found = dict(re.findall(r"^Quota configs for (.*) are (.*)$", described, re.MULTILINE))
    limits = {
        whose: {name: float(limit) for name, limit in (pair.split("=") for pair in text.split(", "))}
        for whose, text in found.items()
    }
    assert limits == {"the default user-principal": AGENT_QUOTAS, f"user-principal '{ROLES[0]}'": UNLIMITED}


def _alter(cluster: Cluster, topic: str, config: dict[str, str]) -> None:
    admin = AdminClient(client_settings(cluster.bootstrap, cluster.security.access))
    entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in config.items()]
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
    (future,) = admin.incremental_alter_configs([resource]).values()
    future.result(20)
