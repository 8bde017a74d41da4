"""A client's access in the words of Faust and aiokafka, which know fewer of them than librdkafka."""

from __future__ import annotations

import ssl

from faust.auth import SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT

from contractnet.access import Access
from contractnet.errors import SettingsError

_KNOWN = frozenset(
    {
        "security.protocol",
        "sasl.mechanism",
        "sasl.username",
        "sasl.password",
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.key.password",
    }
)
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def faust_credentials(access: Access) -> CredentialsT | None:
    """What `faust.App(broker_credentials=...)` takes; None for a plaintext connection.

    Raises SettingsError for what aiokafka cannot do.
    """
    found = access.settings
    protocol = found.get("security.protocol", "PLAINTEXT").upper()
    mechanism = found.get("sasl.mechanism", "SCRAM-SHA-512")
    unknown = sorted(set(found) - _KNOWN)
    if unknown or protocol not in _PROTOCOLS or mechanism not in _MECHANISMS:
        raise SettingsError(
            f"The referee cannot connect with security.protocol={protocol}, sasl.mechanism={mechanism}"
            f"{', ' + ', '.join(unknown) if unknown else ''}: aiokafka knows {', '.join(_PROTOCOLS)}, "
            f"{', '.join(_MECHANISMS)}, and of the other settings {', '.join(sorted(_KNOWN))}."
        )
    tls = _tls(access) if protocol.endswith("SSL") else None
    if protocol.startswith("SASL"):
        return SASLCredentials(
            username=access.user, password=found.get("sasl.password"), ssl_context=tls, mechanism=mechanism
        )
    return None if tls is None else SSLCredentials(tls)


def _tls(access: Access) -> ssl.SSLContext:
    found = access.settings
    try:
        context = ssl.create_default_context(cafile=found.get("ssl.ca.location"))
        if certificate := found.get("ssl.certificate.location"):
            context.load_cert_chain(certificate, found.get("ssl.key.location"), found.get("ssl.key.password"))
    except OSError as error:
        raise SettingsError(f"The certificates of the access file cannot be read: {error}.") from error
    return context
