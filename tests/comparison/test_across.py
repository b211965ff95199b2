"""Ranks over several studies, by the command: what is read, written and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medtransfer.cli import main
from medtransfer.statistics.ranks import average_ranks

NAMES = ["frozen", "scratch", "tuned", "other"]


def write_tables(folder: Path, sets: int, names: list[str]) -> tuple[list[str], np.ndarray]:
    """Write comparison tables in which the third variant is best, the first next; return paths and values."""
    rng = np.random.default_rng(0)
    values = rng.normal(0.6, 0.02, (sets, len(names))) + np.array([0.1, 0.0, 0.2, 0.05])[: len(names)]
    paths = []
    for number, row in enumerate(values):
        table = pd.DataFrame({"variant": names, "kind": "variant", "accuracy": row, "log_loss": 1 - row})
        extra = pd.DataFrame({"variant": ["constant", f"only{number}"], "kind": ["baseline", "variant"]})
        extra = extra.assign(accuracy=0.99, log_loss=0.1)
        path = folder / f"study{number}.csv"
        pd.concat([table.sample(frac=1, random_state=number), extra]).to_csv(path, index=False)
        paths.append(str(path))
    return paths, values


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_variants_of_all_studies_are_ranked(tmp_path: Path, capsys: pytest.CaptureFixture[str], metric: str) -> None:
    paths, values = write_tables(tmp_path, 12, NAMES)
    main(["ranks", *paths, "--metric", metric, "--output", str(tmp_path / "out")])
    expected = average_ranks(values, 0.95)
    table = pd.read_csv(tmp_path / "out/ranks.csv").set_index("variant")
    assert table.index[0] == "tuned"
    assert set(table.index) == set(NAMES)
    np.testing.assert_allclose(table.loc[NAMES, "average_rank"], expected.average, rtol=1e-5)
    told = capsys.readouterr().out
    assert told == (tmp_path / "out/ranks.md").read_text(encoding="utf-8")
    assert told.startswith("# 4 variants on 12 sets\n")
    assert f"differ by more than {expected.critical_difference:.2f} (Nemenyi" in told
    assert (tmp_path / "out/ranks.png").read_bytes().startswith(b"\x89PNG")


def test_variants_that_do_not_differ_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths, _ = write_tables(tmp_path, 6, NAMES)
    main(["ranks", *paths, "-o", str(tmp_path / "out")])
    assert "No significant difference within: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("sets", "names", "message"),
    [
        (4, NAMES, "too few sets (4) to rank 4 variants: no two can differ significantly with fewer than 5"),
        (8, NAMES[:2], "2 variants shared by 8 tables, but ranks need 3 or more"),
    ],
)
def test_too_few_are_refused_and_nothing_is_written(tmp_path: Path, sets: int, names: list[str], message: str) -> None:
    paths, _ = write_tables(tmp_path, sets, names)
    with pytest.raises(SystemExit) as ended:
        main(["ranks", *paths, "-o", str(tmp_path / "out")])
    assert message in str(ended.value.code)
    assert not (tmp_path / "out").exists()


def test_all_tables_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    paths, _ = write_tables(tmp_path, 5, NAMES)
    (tmp_path / "empty.csv").write_text("variant\n", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["ranks", *paths, str(tmp_path / "none.csv"), str(tmp_path / "empty.csv")])
    lines = str(ended.value.code).splitlines()
    assert len(lines) == 2
    assert "none.csv: no such file" in lines[0]
    assert "empty.csv: expected a comparison.csv with a column accuracy" in lines[1]
