"""The Kafka broker of a market: embedded (JVM), in a container, or somebody else's.

Import the one you need: `broker.jvm.JvmBroker`, `broker.docker.DockerBroker`, `broker.external.ExternalBroker`.
They share `broker.interface.Broker`.
"""

from __future__ import annotations
