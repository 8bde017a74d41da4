"""Finding the services. The wheel that agents install has none: they run from a checkout or from the image."""

from __future__ import annotations

import importlib
from types import ModuleType

from contractnet.errors import SettingsError

OURS = ("services", "analytics", "broker", "streams", "projections", "market")


def service(name: str) -> ModuleType:
    """The module `name` of the services. Raises SettingsError where they, or what they need, are not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = (error.name or name).partition(".")[0]
        why = "this is the agents' package" if missing in OURS else f"the package {missing!r} is missing"
        raise SettingsError(
            f"This command belongs to the market's services, which are not installed here ({why}). Run it from a "
            f"checkout (`make setup`, then .venv/bin/contractnet) or in the image that its Dockerfile builds."
        ) from error
