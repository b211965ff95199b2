"""`medtransfer predict` and `export` agree with the predictions of `evaluate` for the same images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medtransfer.cli import main

from .conftest import Project

CHOSEN = slice(3, 40, 3)


def scores(table: pd.DataFrame) -> np.ndarray:
    """Return the bits of a table's probabilities, float32 as integers, sorted by path."""
    names = sorted(name for name in table if name.startswith("p_"))
    return table.sort_values("path")[names].to_numpy(np.float32).view(np.uint32)


def evaluated(project: Project, variant: str, seed: int) -> pd.DataFrame:
    table = pd.read_parquet(project.folder / f"predictions/{variant}.parquet")
    return table[table["seed"] == seed]


@pytest.fixture(autouse=True)
def in_the_folder_with_one_thread(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the stages of the project ran."""
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("MEDTRANSFER_THREADS", "1")


def predicted(project: Project, *arguments: str) -> pd.DataFrame:
    main(["predict", *arguments, "-o", "mine.csv"])
    table = pd.read_csv(project.folder / "mine.csv")
    return table.assign(path=table["path"].str.removeprefix("data/raw/"))


@pytest.mark.parametrize("variant", ["scratch", "frozen", "few_shot"])
def test_predictions_of_a_run_are_bit_identical_to_those_of_evaluate(project: Project, variant: str) -> None:
    truth = evaluated(project, variant, seed=1)
    found = predicted(project, variant, "data/raw/test", "data/raw/valid", "--run", "fold0_seed1")
    assert sorted(found["path"]) == sorted(truth["path"])
    assert np.array_equal(scores(found), scores(truth))
    some = truth.iloc[::-1][CHOSEN]
    found = predicted(project, variant, *(f"data/raw/{path}" for path in some["path"]), "--run", "fold0_seed1")
    assert list(found["path"]) == list(some["path"])
    assert np.array_equal(scores(found), scores(some))


def test_without_a_run_the_probabilities_are_the_mean_of_all_runs(project: Project) -> None:
    found = predicted(project, "models/scratch", "data/raw/test", "data/raw/valid")
    names = [name for name in found if name.startswith("p_")]
    runs = [evaluated(project, "scratch", seed).sort_values("path")[names].to_numpy(np.float64) for seed in (0, 1)]
    mean = np.mean(runs, axis=0).astype(np.float32)
    assert np.array_equal(found.sort_values("path")[names].to_numpy(np.float32), mean)
    assert list(found["predicted"]) == [names[number][2:] for number in found[names].to_numpy().argmax(axis=1)]


@pytest.mark.parametrize("variant", ["scratch", "frozen", "few_shot"])
def test_maps_of_all_runs_change_no_probability(project: Project, variant: str) -> None:
    plain = predicted(project, variant, "data/raw/test")
    found = predicted(project, variant, "data/raw/test", "--explain")
    pd.testing.assert_frame_equal(found.drop(columns="map"), plain)
    assert all((project.folder / path).is_file() for path in found["map"])
    assert found["map"].is_unique


def test_unreadable_files_are_listed_and_skipped_with_exit_code_1(project: Project) -> None:
    folder: Path = project.folder / "data/raw/test"
    good = sorted(folder.glob("*.png"))[:2]
    names = {f"images/{path.name}": path.read_bytes() for path in good}
    for name, content in (names | {"images/broken.png": good[0].read_bytes()[:99], "images/notes.txt": b""}).items():
        (project.folder / name).parent.mkdir(exist_ok=True)
        (project.folder / name).write_bytes(content)
    output = project.run("medtransfer", "predict", "scratch", "images", "-o", "out/mine.csv", fails=True)
    assert "error: images/broken.png: unreadable: " in output
    assert "error: 1 of 3 files could not be read" in output
    assert sorted(pd.read_csv(project.folder / "out/mine.csv")["path"]) == sorted(names)


def test_an_export_has_a_model_card(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    main(["export", "few_shot", "--run", "fold0_seed1"])
    output = capsys.readouterr().out
    assert "exports/few_shot/model.onnx: on validation images, its outputs differ" in output
    assert (project.folder / "exports/few_shot/model.onnx").stat().st_size > 0
    figures = pd.read_csv(project.folder / "metrics/comparison.csv").set_index("variant").loc["few_shot"]
    card = project.read("exports/few_shot/README.md")
    assert f"{figures['accuracy']:.3f}".removeprefix("0") in card
    assert "SIMULATION" in card
