"""What agents ask of a language model: the two Azure traces, or a synthetic stand-in where they are not there.

AzureLLMInferenceTrace_code.csv and _conv.csv (Azure/AzurePublicDataset on GitHub, folder data; Patel et al., ISCA
2024): one hour of a coding and of a chat service, with TIMESTAMP, ContextTokens and GeneratedTokens of each request.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from contractnet.errors import SettingsError

SERVICES = ("code", "conv")
NAME = "AzureLLMInferenceTrace_{}.csv"


@dataclass(frozen=True, slots=True, order=True)
class Call:
    """One request, `at_s` seconds after the first one of both services."""

    at_s: float
    service: str
    prompt: int
    completion: int

    @property
    def tokens(self) -> int:
        """All that the provider counts."""
        return self.prompt + self.completion


def azure(folder: Path) -> list[Call]:
    """Both traces, oldest first. Raises SettingsError, saying what to fetch, unless both are there and are such."""
    calls: list[tuple[datetime, str, int, int]] = []
    if folder.is_file():
        raise SettingsError(f"{folder} is a file: name the folder that holds both traces")
    for service in SERVICES:
        path = folder / NAME.format(service)
        if not path.is_file():
            raise SettingsError(
                f"{path} is not there: fetch {path.name} from Azure/AzurePublicDataset on GitHub, folder data"
            )
        try:
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    at = datetime.fromisoformat(row["TIMESTAMP"][:26])
                    calls.append((at, service, int(row["ContextTokens"]), int(row["GeneratedTokens"])))
        except (OSError, ValueError, KeyError) as error:
            raise SettingsError(f"{path} is no Azure LLM inference trace: {error!r}") from error
    if not calls:
        raise SettingsError(f"the traces in {folder} hold no request")
    calls.sort()
    began = calls[0][0]
    return [Call((at - began).total_seconds(), service, *sizes) for at, service, *sizes in calls]


def synthetic(duration_s: float, seed: int = 1) -> list[Call]:
    """Poisson arrivals at the traces' rates and mean sizes, code in bursts; sizes are lognormal."""
    dice = random.Random(f"tokens/{seed}")
    calls: list[Call] = []
    for service, per_s, prompt, completion in (("conv", 5.4, 1_155, 211), ("code", 2.45, 2_048, 28)):
        at_s = dice.expovariate(per_s)
        while at_s < duration_s:
            burst = dice.randrange(1, 12) if service == "code" else 1
            for _ in range(burst):
                sizes = [max(1, round(mean * dice.lognormvariate(-0.32, 0.8))) for mean in (prompt, completion)]
                calls.append(Call(at_s, service, *sizes))
            at_s += dice.expovariate(per_s / 6 if service == "code" else per_s)
    return sorted(calls)


def window(calls: Iterable[Call], begin_s: float, length_s: float) -> list[Call]:
    """The calls of a part of the hour, from 0 on."""
    part = [call for call in calls if begin_s <= call.at_s < begin_s + length_s]
    return [Call(call.at_s - begin_s, call.service, call.prompt, call.completion) for call in part]


def shared(folder: Path | None, names: Sequence[str], length_s: float, seed: int) -> tuple[dict[str, list[Call]], str]:
    """Calls for so long, each of one of the agents drawn with the seed, and one sentence on where they come from.

    From a folder with the Azure traces: a part of their hour that the seed chooses, in real time. Raises SettingsError.
    """
    dice = random.Random(f"calls {seed}")
    if folder is None:
        calls, told = synthetic(length_s, seed), "synthetic calls of a language model"
    else:
        hour = azure(folder)
        begin_s = dice.uniform(0.0, max(0.0, hour[-1].at_s - length_s))
        calls = window(hour, begin_s, length_s)
        told = f"calls of a language model from the Azure traces, {length_s:g} s from {begin_s:.0f} s on"
    ours: dict[str, list[Call]] = {name: [] for name in names}
    for call in calls:
        ours[dice.choice(names)].append(call)
    return ours, f"{len(calls)} {told}"
