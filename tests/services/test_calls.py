"""Where a run's calls of a language model come from: made up, or the Azure traces."""

from __future__ import annotations

from pathlib import Path

import pytest

from contractnet.errors import SettingsError
from services.demo.calls import Call, azure, shared, synthetic, window

HEAD = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
ROWS = {
    "code": "2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:05.0000000,100,20\n",
    "conv": "2023-11-16 18:17:04.4799600,374,44\n",
}


def traces(folder: Path, **rows: str) -> Path:
    """A folder with both traces."""
    for service, text in (ROWS | rows).items():
        (folder / f"AzureLLMInferenceTrace_{service}.csv").write_text(HEAD + text, "utf-8")
    return folder


def test_both_traces_are_one_demand(tmp_path: Path) -> None:
    """Requests of both services in the order of their times, which begin with the first."""
    calls = azure(traces(tmp_path))
    assert [(call.service, call.prompt, call.completion) for call in calls] == [
        ("code", 4808, 10),
        ("conv", 374, 44),
        ("code", 100, 20),
    ]
    assert [round(call.at_s, 3) for call in calls] == [0.0, 0.5, 1.02]
    assert window(calls, 0.4, 0.5) == [Call(calls[1].at_s - 0.4, "conv", 374, 44)]


@pytest.mark.parametrize("rows", [{"conv": "yesterday,1,2\n"}, {"code": "2023-11-16 18:17:03.9,many,2\n"}])
def test_another_file_is_named(tmp_path: Path, rows: dict[str, str]) -> None:
    """With its path."""
    with pytest.raises(SettingsError, match=f"_{next(iter(rows))}.csv is no Azure LLM inference trace"):
        azure(traces(tmp_path, **rows))


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """Which file, and where it is to be had; a trace without a request is none."""
    with pytest.raises(SettingsError, match=r"fetch AzureLLMInferenceTrace_code\.csv from Azure/AzurePublicDataset"):
        azure(tmp_path)
    with pytest.raises(SettingsError, match="hold no request"):
        azure(traces(tmp_path, code="", conv=""))


def test_calls_are_shared_by_the_seed(tmp_path: Path) -> None:
    """The same seed gives the same calls to the same agents, in order; another one does not."""
    names = ["a", "b", "c"]
    first, told = shared(None, names, 20.0, 1)
    assert (first, told) == shared(None, names, 20.0, 1)
    assert first != shared(None, names, 20.0, 2)[0]
    assert set(first) == set(names)
    assert sum(map(len, first.values())) == len(synthetic(20.0, 1)) > 50
    for calls in first.values():
        assert calls == sorted(calls)
    real, told = shared(traces(tmp_path), names, 20.0, 1)
    assert sum(map(len, real.values())) == 3
    assert "Azure" in told


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """Its name is repeated, and what to name instead."""
    with pytest.raises(SettingsError, match="is a file: name the folder"):
        azure(traces(tmp_path) / "AzureLLMInferenceTrace_code.csv")
