"""The table of settings: what it promises, and how it is written down for Java and for the image."""

from __future__ import annotations

import pytest

from broker.settings import as_environment, as_properties, loopback, node_settings


def settings_of(brokers: int) -> dict[str, str]:
    """The settings of the first node of a cluster on loopback."""
    voters = [f"{number}@127.0.0.1:{30000 + number}" for number in range(1, brokers + 1)]
    return node_settings(loopback(1, 20001, 30001, voters, "data"))


def test_a_single_broker_keeps_one_copy() -> None:
    """Kafka's own topics have one copy and four partitions, and no topic is created by accident."""
    settings = settings_of(1)
    copies = {value for name, value in settings.items() if name.endswith(("replication.factor", ".isr"))}
    assert copies == {"1"}
    assert settings["transaction.state.log.num.partitions"] == settings["offsets.topic.num.partitions"] == "4"
    assert settings["auto.create.topics.enable"] == "false"
    assert settings["group.initial.rebalance.delay.ms"] == "0"


def test_three_brokers_keep_three_copies() -> None:
    """With three brokers there are three copies, and two have to acknowledge."""
    settings = settings_of(3)
    assert settings["default.replication.factor"] == settings["transaction.state.log.replication.factor"] == "3"
    assert settings["min.insync.replicas"] == settings["transaction.state.log.min.isr"] == "2"


def test_only_loopback_is_bound() -> None:
    """No listener of an embedded broker is reachable from another machine."""
    settings = settings_of(1)
    for name in ("listeners", "advertised.listeners"):
        hosts = {each.partition("://")[2].rpartition(":")[0] for each in settings[name].split(",")}
        assert hosts == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("value", "written"),
    [("plain=value:1", "plain=value:1"), ("a\\b", "a\\\\b"), ("é", "\\u00e9"), ("🜁", "\\ud83d\\udf01")],
)
def test_properties_are_escaped_for_java(value: str, written: str) -> None:
    """Java reads ASCII, doubled backslashes, and UTF-16 units as escapes."""
    assert as_properties({"name": value}) == f"name={written}\n"


def test_the_image_takes_variables() -> None:
    """A setting's name becomes the variable that the official image reads."""
    assert as_environment({"log.dirs": "x"}) == {"KAFKA_LOG_DIRS": "x"}
