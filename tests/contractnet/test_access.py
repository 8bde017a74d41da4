"""Access files, the table of rights, and how they are put into other words."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from contractnet.access import (
    ACCESS_ENV,
    PLAINTEXT,
    Access,
    act_as,
    client_settings,
    load_access,
    role_file,
    save_access,
    scram,
)
from contractnet.client import operator_credential
from contractnet.credentials import Role, access_for, load, save
from contractnet.errors import CredentialError, SettingsError
from contractnet.rights import EVERYBODY, ROLES, Right, as_command, rights
from streams.access import faust_credentials

SECRET = "3f" * 32
TLS = Access({"security.protocol": "SASL_SSL", "ssl.ca.location": "ca.pem", "sasl.mechanism": "PLAIN"})


def test_a_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """What is saved is loaded again, from a file that only its owner reads."""
    file = tmp_path / "referee.properties"
    save_access(scram("referee", SECRET), file)
    assert load_access(file) == scram("referee", SECRET)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """An access file demands mode 0600, and the error says how."""
    file = tmp_path / "referee.properties"
    save_access(scram("referee", SECRET), file)
    file.chmod(0o640)
    with pytest.raises(CredentialError, match="chmod 600"):
        load_access(file)


@pytest.mark.parametrize(
    "line",
    ["bootstrap.servers=elsewhere:9092", "sasl.password", "plugin.library.paths=x", "sasl.kerberos.kinit.cmd=touch x"],
)
def test_only_security_settings_are_taken(tmp_path: Path, line: str) -> None:
    """A file cannot point a client elsewhere or load code; the error names the line and not what it holds."""
    file = tmp_path / "access.properties"
    file.touch(mode=0o600)
    file.write_text(f"# comment\n\nsasl.username = ann \n{line}\n")
    with pytest.raises(CredentialError, match="line 4") as told:
        load_access(file)
    assert line not in str(told.value)


def test_secrets_are_not_shown() -> None:
    """The settings stay out of the repr, of an access and of a credential that has one."""
    access = scram("ann", SECRET)
    credential = replace(operator_credential("m"), kafka=access)
    assert SECRET not in repr(access) + repr(credential)


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CONTRACTNET_ACCESS is taken by every client; empty or missing means plaintext, and wins over a role's file."""
    file = role_file(tmp_path, "operator")
    file.parent.mkdir()
    save_access(scram("operator", SECRET), file)
    monkeypatch.setenv(ACCESS_ENV, "")
    act_as("operator", tmp_path)
    assert client_settings("b:1") == {"bootstrap.servers": "b:1"}
    monkeypatch.delenv(ACCESS_ENV)
    act_as("operator", tmp_path)
    assert os.environ[ACCESS_ENV] == str(file)
    assert client_settings("b:1")["sasl.username"] == "operator"
    assert client_settings("b:1", PLAINTEXT) == {"bootstrap.servers": "b:1"}


def test_a_credential_carries_its_access(tmp_path: Path) -> None:
    """It is kept in the file, and not used in a directory whose market has no access control now."""
    path = tmp_path / "agents" / "ann.json"
    credential = replace(operator_credential("m"), role=Role.AGENT, kafka=scram("ann", SECRET))
    save(credential, path)
    assert load(path) == credential
    assert access_for(credential, path) == credential.kafka
    (tmp_path / "access").mkdir()
    (tmp_path / "access" / "off").touch()
    assert access_for(credential, path) == PLAINTEXT


def test_a_new_user_is_one_of_the_same_cluster() -> None:
    """Protocol and certificates are the administrator's; user and password are the new one's own."""
    assert scram("ann", SECRET, TLS).settings == {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": "ca.pem",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "ann",
        "sasl.password": SECRET,
    }


def test_the_rights_do_not_grow_with_the_agents() -> None:
    """Agents have exactly three rights, by everybody's name; no right is given for the names of one."""
    found = rights("app")
    assert {r for r in found if r.user == EVERYBODY} == {
        Right("*", "topic", "commands", "write"),
        Right("*", "topic", "notices", "read"),
        Right("*", "group", "contractnet-notices", "describe"),
    }
    assert {r.user for r in found} == {EVERYBODY, *ROLES}
    assert len(found) == len(set(found))
    assert [r.name for r in found if r.resource == "transactional_id"] == ["app-"]


def test_a_right_is_written_for_kafkas_tool() -> None:
    """Denials, prefixes and the cluster are spelled as kafka-acls.sh takes them."""
    begin = "kafka-acls.sh --bootstrap-server b:1 --command-config admin.properties --add"
    assert as_command(Right("judge", "topic", "ledger", "read"), "b:1") == (
        f"{begin} --allow-principal User:judge --operation Read --topic ledger"
    )
    assert as_command(Right("x", "group", "g-", "describe_configs", prefixed=True, denied=True), "b:1") == (
        f"{begin} --deny-principal User:x --operation DescribeConfigs --group g- --resource-pattern-type prefixed"
    )
    assert as_command(Right("x", "cluster", "kafka-cluster", "alter"), "b:1").endswith("--operation Alter --cluster")


def test_faust_is_told_the_same() -> None:
    """User, password, mechanism and protocol reach Faust; what aiokafka does not know is refused in words."""
    found = faust_credentials(scram("referee", SECRET))
    assert found is not None
    assert found.protocol.value == "SASL_PLAINTEXT"
    assert (vars(found)["username"], vars(found)["password"]) == ("referee", SECRET)
    assert vars(found)["mechanism"].value == "SCRAM-SHA-512"
    assert faust_credentials(PLAINTEXT) is None
    with pytest.raises(SettingsError, match=r"ssl\.crl\.location") as told:
        faust_credentials(Access({**scram("referee", SECRET).settings, "ssl.crl.location": "x"}))
    assert SECRET not in str(told.value)
    with pytest.raises(SettingsError, match="certificates"):
        faust_credentials(TLS)
