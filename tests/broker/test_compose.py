"""The compose file, checked without an engine: its schema, its settings, its ports, and Kafka run with its settings."""

from __future__ import annotations

import json
import re
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema.validators import validator_for  # type: ignore[import-untyped]  # it ships no types
from ruamel.yaml import YAML

from broker.jars import ensure_jars
from broker.java import find_java
from broker.node import KafkaNode
from broker.ports import find_free
from broker.ready import wait_until_ready
from broker.security import Security
from broker.settings import DEFAULT_PORT, IMAGE, as_environment, container, node_settings
from broker.storage import ensure_formatted
from contractnet.access import ACCESS_ENV, PLAINTEXT, load_access, role_file
from contractnet.cli.directory import DataDirectory
from contractnet.errors import BrokerUnreachableError
from contractnet.principals import new_password
from contractnet.refusals import check_access
from services.containers import PASSWORD_ENV, prepare

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
# What compose puts the password of the broker's own user for, or refuses to start without.
PASSWORD = "${CONTRACTNET_BROKER_PASSWORD:?put one into .env}"


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """The services of the file with its anchors and merges resolved, and the port that is published by default."""
    text = re.sub(r"\$\{CONTRACTNET_KAFKA_PORT:-(\d+)\}", r"\1", FILE.read_text())
    return cast("dict[str, dict[str, Any]]", YAML(typ="safe").load(text)["services"])


def kafka_environment(services: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The broker's settings in the file, without the cluster id, which is no setting."""
    return {name: value for name, value in services["kafka"]["environment"].items() if name.startswith("KAFKA_")}


def test_it_follows_the_compose_specification() -> None:
    """The file validates against the specification's own JSON schema, and a misspelt key would not."""
    # The package is taken for the schema that it carries: its own command breaks with some versions of click.
    carried = distribution("check-jsonschema").locate_file("check_jsonschema/builtin_schemas/vendor/compose-spec.json")
    schema = json.loads(Path(str(carried)).read_text())
    validator = validator_for(schema)(schema)
    document = YAML(typ="safe").load(FILE)
    assert [error.message for error in validator.iter_errors(document)] == []
    document["services"]["kafka"]["prots"] = []
    assert len(list(validator.iter_errors(document))) == 1


def test_its_broker_has_the_settings_of_the_table(services: dict[str, dict[str, Any]]) -> None:
    """The KAFKA_ variables are the broker's table for a container, no more, no less; so are image and port."""
    assert kafka_environment(services) == as_environment(node_settings(container(DEFAULT_PORT), Security(PASSWORD)))
    assert services["kafka"]["image"] == IMAGE


def test_variable_names_come_back_as_settings(services: dict[str, dict[str, Any]]) -> None:
    """The image's rule for its variables turns every one back into the setting's own name."""
    assert as_properties_of_image(kafka_environment(services)) == node_settings(
        container(DEFAULT_PORT), Security(PASSWORD)
    )


def test_only_loopback_is_published(services: dict[str, dict[str, Any]]) -> None:
    """Every published port is bound to 127.0.0.1."""
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:9092:9092"]


def test_services_find_broker_and_data(services: dict[str, dict[str, Any]]) -> None:
    """Our services are given the broker's address inside the network, the data directory, which is a volume, and the
    access file of their role; only what makes these files is given the password of the broker's own user."""
    ours = {name: service for name, service in services.items() if name != "kafka"}
    own: dict[str, dict[str, str]] = {
        "topics": {"CONTRACTNET_BROKER_PASSWORD": PASSWORD},
        "referee": {"CONTRACTNET_ACCESS": "/data/access/referee.properties", "CONTRACTNET_WEB_PORT": "6066"},
        "genesis": {
            "CONTRACTNET_ACCESS": "/data/access/operator.properties",
            "CONTRACTNET_RESALE_CALL": "${CONTRACTNET_RESALE_CALL:-5s}",
        },
        "snapshotter": {"CONTRACTNET_ACCESS": "/data/access/snapshotter.properties"},
        "projector": {"CONTRACTNET_ACCESS": "/data/access/projector.properties"},
        "cli": {},  # each command takes the file of its role
    }
    assert set(ours) == set(own)
    for name, service in ours.items():
        common = {"CONTRACTNET_BOOTSTRAP": "kafka:19092", "CONTRACTNET_DATA": "/data"}
        assert service["environment"] == common | own[name]
        assert service["volumes"] == ["market:/data"]


def test_the_password_is_in_no_image_and_no_commit() -> None:
    """The file that it is written to is ignored by both."""
    for name in (".dockerignore", ".gitignore"):
        assert ".env" in set((ROOT / name).read_text().splitlines())


def test_one_service_builds_the_image_of_all(services: dict[str, dict[str, Any]]) -> None:
    """Were each to build it, each would have one of its own, and `run` would make others anew."""
    ours = {name: service for name, service in services.items() if name != "kafka"}
    assert {name for name, service in ours.items() if "build" in service} == {"topics"}
    assert {service["image"] for service in ours.values()} == {"${COMPOSE_PROJECT_NAME:-contractnet}-services"}
    assert {name: service["pull_policy"] for name, service in ours.items()} == {
        name: "build" if name == "topics" else "never" for name in ours
    }


def test_services_wait_for_what_they_need(services: dict[str, dict[str, Any]]) -> None:
    """The topics wait for a healthy broker, all others for the topics, and the genesis for a healthy referee."""
    assert services["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    assert services["genesis"]["depends_on"] == {"referee": {"condition": "service_healthy"}}
    for name in ("referee", "snapshotter", "projector"):
        assert services[name]["depends_on"] == {"topics": {"condition": "service_completed_successfully"}}


@pytest.mark.broker
def test_kafka_runs_with_its_settings(
    services: dict[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker started from the file's variables serves; only ports, addresses, the data path and the password are this
    machine's. The step that prepares it makes the users and the topics, and nobody is let in without."""
    node = KafkaNode(tmp_path)
    inner, outer, controller = find_free(), find_free(), find_free()
    assert len({inner, outer, controller}) == 3
    settings = as_properties_of_image(kafka_environment(services))
    ports = {":19092": f":{inner}", ":9092": f":{outer}", ":9093": f":{controller}"}
    for name in ("listeners", "advertised.listeners", "controller.quorum.voters"):
        here = re.sub(r"(?:0\.0\.0\.0|kafka)(?=:)", "127.0.0.1", settings[name])
        settings[name] = re.sub(r":\d+", lambda found: ports[found[0]], here)
    settings["log.dirs"] = str(node.data_dir)
    security = Security(new_password())
    settings = {name: value.replace(PASSWORD, security.password) for name, value in settings.items()}
    cluster_id = ensure_formatted(node.data_dir, 1, services["kafka"]["environment"]["CLUSTER_ID"])
    node.launch(find_java(), ensure_jars(), settings)
    try:
        address = f"127.0.0.1:{outer}"
        wait_until_ready(
            address, 60.0, cluster_id=cluster_id, gone=lambda: not node.is_running(), access=security.access
        )
        data = DataDirectory(tmp_path / "data-of-the-market")
        monkeypatch.setenv("CONTRACTNET_DATA", str(data.path))
        monkeypatch.setenv("CONTRACTNET_BOOTSTRAP", address)
        monkeypatch.setenv(PASSWORD_ENV, security.password)
        monkeypatch.setenv(ACCESS_ENV, "")
        monkeypatch.delenv(ACCESS_ENV)  # what the step sets goes with the test
        prepare(data, "composed")
        check_access(address, access=load_access(role_file(data.path, "referee")))
        with pytest.raises(BrokerUnreachableError):
            check_access(address, 1, PLAINTEXT)
    finally:
        node.stop(20.0)


def as_properties_of_image(environment: dict[str, str]) -> dict[str, str]:
    """The rule of the image's `KafkaDockerWrapper`: drop the prefix, lower case, `_` for `.` (`___` for `-`)."""
    return {
        name.removeprefix("KAFKA_").lower().replace("_", ".").replace("...", "-").replace("..", "_"): value
        for name, value in environment.items()
    }
