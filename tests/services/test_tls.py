"""An existing cluster over TLS (SASL_SSL), as docs/security.md has it, on a real broker that somebody else runs."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.jars import ensure_jars
from broker.java import find_java
from broker.node import KafkaNode
from broker.ports import find_free
from broker.ready import wait_until_ready
from broker.security import Security
from broker.settings import loopback, node_settings
from broker.storage import ensure_formatted
from contractnet import Agent, credits
from contractnet.access import Access, save_access, scram
from contractnet.credentials import load
from contractnet.errors import ContractnetError
from contractnet.principals import Principals, new_password
from contractnet.refusals import check_access
from contractnet.rights import ROLES, rights
from tests.cli.command import contractnet

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster of somebody else's, and what its administrator hands out."""

    bootstrap: str
    authority: Path
    """The certificate that clients have to trust."""
    administrator: Access


def certificate(folder: Path) -> tuple[dict[str, str], Path]:
    """The broker's settings for a key and certificate of its own, and that certificate for clients."""
    keytool, store, authority = find_java().launcher.with_name("keytool"), folder / "broker.p12", folder / "ca.pem"
    common = ["-keystore", str(store), "-storetype", "PKCS12", "-storepass", "for-this-test", "-alias", "broker"]
    make = ["-genkeypair", "-keyalg", "EC", "-dname", "CN=broker", "-ext", "san=ip:127.0.0.1", "-ext", "bc=ca:true"]
    subprocess.run([keytool, *make, *common], check=True, capture_output=True)
    subprocess.run([keytool, "-exportcert", "-rfc", "-file", str(authority), *common], check=True, capture_output=True)
    own = {"keystore.type": "PKCS12", "keystore.location": str(store), "keystore.password": "for-this-test"}
    trusted = {"truststore.type": "PEM", "truststore.location": str(authority)}
    return {f"ssl.{name}": value for name, value in (own | trusted).items()}, authority


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One broker whose clients need TLS and a user, with the users and rights of the market."""
    folder, security = tmp_path_factory.mktemp("tls"), Security(new_password())
    node, keys = KafkaNode(folder / "broker"), certificate(folder)
    port = find_free()
    controller = find_free(avoid=port)
    place = loopback(1, port, controller, [f"1@127.0.0.1:{controller}"], str(node.data_dir))
    cluster_id = ensure_formatted(node.data_dir, 1)
    encrypted = {"listener.security.protocol.map": "CLIENTS:SASL_SSL,CONTROLLER:SASL_PLAINTEXT"}
    node.launch(find_java(), ensure_jars(), node_settings(place, security) | keys[0] | encrypted)
    tls = {"security.protocol": "SASL_SSL", "ssl.ca.location": str(keys[1])}
    administrator = Access({**security.access.settings, **tls})
    try:
        wait_until_ready(f"127.0.0.1:{port}", 60, cluster_id=cluster_id, access=administrator)
        Principals(f"127.0.0.1:{port}", administrator).allow(rights())
        yield Cluster(f"127.0.0.1:{port}", keys[1], administrator)
    finally:
        node.stop(20)


@pytest.fixture(scope="module")
def data(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data directory of a market on it, which is up."""
    folder = tmp_path_factory.mktemp("market") / "data"
    (folder / "access").mkdir(parents=True, mode=0o700)
    passwords = {role: new_password() for role in ROLES}
    Principals(cluster.bootstrap, cluster.administrator).set_passwords(passwords)
    for role, password in passwords.items():
        save_access(scram(role, password, like=cluster.administrator), folder / "access" / f"{role}.properties")
    try:
        done(folder, "--bootstrap", cluster.bootstrap, "up", "--detach")
        yield folder
    finally:
        contractnet("--data", folder, "down")


def done(data: Path, *arguments: str) -> str:
    """What a command that succeeds prints."""
    ended = contractnet("--data", data, *arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_a_market_over_tls(data: Path) -> None:
    """Worker, projector, snapshotter, agents, queries and verify all speak TLS: a slot is sold, found and verified."""
    for name in ("ann", "bob"):
        done(data, "enroll", name, "--project", "vision", "--credits", "50")
        kafka = load(data / "agents" / f"{name}.json").kafka
        assert kafka is not None
        assert kafka.settings["security.protocol"] == "SASL_SSL"
    done(data, "pool", "create", "gpu", "--owner", "ann", "--units", "2")

    async def trade() -> str:
        agents = data / "agents"
        async with Agent.connect(agents / "ann.json") as ann, Agent.connect(agents / "bob.json") as bob:
            cfp = await ann.call_for_proposals("gpu", 1, duration_s=30, open_s=3)
            bid = await bob.bid(cfp, credits(5))
            award = await bid.outcome()
            assert award is not None
            return award.id.hex()

    award = asyncio.run(trade())
    assert "sound: 0 divergences" in done(data, "verify", "--quiet")
    assert "healthy" in done(data, "status")
    found = done(data, "query", f"SELECT count(*) AS sold FROM awards WHERE award_id = '{award}'", "--csv")
    assert found.split() == ["sold", "1"]


def test_whoever_does_not_trust_the_certificate_is_told(cluster: Cluster, data: Path) -> None:
    """A client without the authority's certificate does not connect, and the same user with it does."""
    auditor = (data / "access" / "auditor.properties").read_text("utf-8")
    settings = dict(line.split("=", 1) for line in auditor.splitlines())
    check_access(cluster.bootstrap, access=Access(settings))
    del settings["ssl.ca.location"]
    with pytest.raises(ContractnetError):
        check_access(cluster.bootstrap, access=Access(settings))
