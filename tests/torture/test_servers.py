"""No MLflow server stops a stage or loses a run; `benchmarks/torture.py` tries thirty."""

from __future__ import annotations

from pathlib import Path

import pytest

from .servers import MODES, new_store, server_fault


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_store(tmp_path_factory.mktemp("store"))


@pytest.mark.parametrize("seed", range(3))
def test_a_faulty_server_costs_one_warning_and_no_run(store: Path, tmp_path: Path, seed: int) -> None:
    server_fault(tmp_path, store, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 3 + 4 * len(MODES)))
def test_any_faulty_server_costs_one_warning_and_no_run(store: Path, tmp_path: Path, seed: int) -> None:
    server_fault(tmp_path, store, seed)
