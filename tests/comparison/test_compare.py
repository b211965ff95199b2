"""A whole comparison from stored files: its table, its text, its warnings, and the same bytes twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scored import label_probability_metric

from medtransfer.check import choice_problems
from medtransfer.comparison import results
from medtransfer.comparison.compare import compare, compute_comparison
from medtransfer.comparison.pages import comparison_page
from medtransfer.comparison.warnings import baseline_warnings, chance_warnings, promise_warnings
from medtransfer.comparison.writing import TABLES
from medtransfer.study import Study
from medtransfer.tasks.classes.predictions import ClassPredictions
from medtransfer.tasks.predictions import write_rows
from medtransfer.util.errors import UserError
from medtransfer.util.files import sha256_of_folder
from medtransfer.util.places import Places

from .conftest import drawn_predictions

MakeStudy, Finish = Callable[..., Study], Callable[..., Places]
REFERENCE = {
    "source": "a report",
    "rows": {"strong": {"accuracy": 0.9, "precision_weighted": 0.8}, "theirs": {"accuracy": 0.99}},
}


def test_rows_are_sorted_by_kind_and_from_the_best_to_the_worst(study_with: MakeStudy, finished: Places) -> None:
    table = compute_comparison(study_with(reference=REFERENCE), finished).table
    assert table["kind"].tolist() == ["variant"] * 3 + ["baseline"] * 2 + ["published"] * 2
    for _, rows in table.groupby("kind"):
        assert rows["accuracy"].is_monotonic_decreasing
    assert table["variant"].tolist()[2:] == ["weak", "nearest_neighbour", "constant", "theirs", "strong"]
    published = table[table["kind"] == "published"].set_index("variant")
    assert published.loc["strong", "precision_weighted"] == 0.8
    assert published["accuracy_low"].isna().all()
    assert set(published["source"]) == {"a report"}


def test_values_are_means_over_runs_and_are_in_their_intervals(study_with: MakeStudy, finished: Places) -> None:
    table = compute_comparison(study_with(), finished).table.set_index("variant")
    for name in table.index:
        runs = ClassPredictions(pd.read_parquet(finished.predictions(name))).tests.runs().values()
        accuracies = [(scores.argmax(axis=1) == labels).mean() for labels, scores in runs]
        assert table.loc[name, "accuracy"] == pytest.approx(np.mean(accuracies))
        assert table.loc[name, "accuracy_low"] <= table.loc[name, "accuracy"] <= table.loc[name, "accuracy_high"]
        if len(accuracies) > 1:
            assert table.loc[name, "accuracy_sd"] == pytest.approx(np.std(accuracies, ddof=1))
        mean = json.loads(finished.metrics(name).read_text())["mean"]
        assert table.loc[name, "log_loss"] == pytest.approx(mean["log_loss"])


def test_equally_good_variants_are_tied_and_a_weak_one_is_not(study_with: MakeStudy, finished: Places) -> None:
    table = compare(study_with(), finished).table.set_index("variant")
    assert table.loc[["strong", "twin"], "tied_with_best"].tolist() == [True, True]
    assert not table.loc["weak", "tied_with_best"]
    assert table.loc["weak", "difference_high"] < 0
    assert table.loc[["constant", "nearest_neighbour"], "p_corrected"].isna().all()
    names = [line.split("|")[1].strip() for line in read(finished, "comparison.md").split("\n")[:12] if "|" in line]
    assert set(names[2:4]) == {"**strong** =", "**twin** ="}


def read(places: Places, name: str) -> str:
    return (places.root / "metrics" / name).read_text(encoding="utf-8")


def test_the_files_agree_with_the_table(study_with: MakeStudy, finished: Places) -> None:
    table = compare(study_with(metric="f1_macro"), finished).table
    written = pd.read_csv(finished.root / "metrics" / "comparison.csv")
    assert written["variant"].tolist() == table["variant"].tolist()
    np.testing.assert_allclose(written["f1_macro"], table["f1_macro"], rtol=1e-5)
    summary = json.loads(read(finished, "summary.json"))
    assert set(summary) == {"strong", "twin", "weak"}
    assert set(summary["weak"]) == {"accuracy", "f1_macro", "roc_auc"}
    page = read(finished, "comparison.md")
    assert page.startswith("# A tiny study\n")
    assert "> **Warning.** LEAKAGE: 2 groups stand in two splits" in page
    assert "30 groups (90 images), 300 resamples" in page
    assert "tabular" in read(finished, "comparison.tex")
    tables = {path.stem: pd.read_csv(path) for path in (finished.results / "tables").iterdir()}
    assert set(tables) == set(TABLES)
    assert tables["pairs"].groupby("metric").size().tolist() == [3] * 5


def test_costs_add_a_metric_that_variants_can_be_ranked_by(study_with: MakeStudy, finished: Places) -> None:
    costs = {"cyst": {"mass": 1.0, "normal": 4.0}, "mass": {"cyst": 1.0, "normal": 4.0}}
    costs["normal"] = {"cyst": 1.0, "mass": 2.0}
    found = compute_comparison(study_with(costs=costs, metric="cost_weighted_accuracy"), finished)
    assert found.metrics[0] == "cost_weighted_accuracy"
    matrix = np.array([[0, 1, 4], [1, 0, 4], [1, 2, 0]])
    for name, row in found.table.set_index("variant").iterrows():
        runs = ClassPredictions(pd.read_parquet(finished.predictions(str(name)))).tests.runs().values()
        values = [
            1 - matrix[labels, scores.argmax(axis=1)].sum() / matrix.max(axis=1)[labels].sum()
            for labels, scores in runs
        ]
        assert row["cost_weighted_accuracy"] == pytest.approx(np.mean(values))
    assert "Cost-weighted accuracy" in comparison_page(found)
    assert "cost_weighted_accuracy" not in compute_comparison(study_with(), finished).table


def test_costs_of_other_classes_are_one_line(study_with: MakeStudy, finished: Places) -> None:
    costs = {"cyst": {"masss": 1.0}, "masss": {"cyst": 1.0}}
    with pytest.raises(
        UserError, match=r"^comparison.costs lacks the class 'mass'; expected one line for each of cyst"
    ):
        compute_comparison(study_with(costs=costs), finished)


def test_quadratic_kappa_ranks_classes_in_their_order(study_with: MakeStudy, finished: Places) -> None:
    table = compare(study_with(metric="kappa_quadratic"), finished).table
    assert table["kappa_quadratic"][:3].is_monotonic_decreasing
    assert set(json.loads(read(finished, "summary.json"))["weak"]) == {
        "accuracy",
        "f1_macro",
        "roc_auc",
        "kappa_quadratic",
    }


def test_a_row_names_its_parts_and_sizes(study_with: MakeStudy, finished: Places) -> None:
    table = compute_comparison(study_with(), finished).table.set_index("variant")
    weak = table.loc["weak"]
    assert (weak["backbone"], weak["strategy"], weak["augmentation"], weak["runs"]) == ("small", "scratch", "none", 2)
    assert (weak["parameters"], weak["trainable_parameters"], weak["multiply_adds"]) == (3000, 1500, 30000)
    assert table.loc["constant", ["backbone", "parameters"]].isna().all()


def test_the_cost_table_has_one_row_per_variant_and_names_the_machine(study_with: MakeStudy, finished: Places) -> None:
    compare(study_with(), finished)
    costs = pd.read_csv(finished.root / "metrics" / "cost.csv")
    assert costs["variant"].tolist() == ["weak", "strong", "twin"]
    assert costs["runs"].tolist() == [2, 2, 2]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in read(finished, "cost.md").split("\n")]
    assert ["strong", "2", "3.2", "12.3", "20.0", "12.30", "512", "float32"] in cells
    assert "Measured on cpu, 2 threads." in read(finished, "cost.md")


def test_two_comparisons_write_the_same_bytes(study_with: MakeStudy, finished: Places, tmp_path: Path) -> None:
    study = study_with(reference=REFERENCE)
    other = Places(tmp_path / "copy")
    shutil.copytree(finished.root, other.root, ignore=shutil.ignore_patterns("copy"))
    for places in (finished, other):
        compare(study, places)
    for folder in ("metrics", "plots"):
        assert sha256_of_folder(finished.root / folder) == sha256_of_folder(other.root / folder)


def test_a_metric_registered_from_outside_is_measured_tested_and_shown(study_with: MakeStudy, finish: Finish) -> None:
    with label_probability_metric() as name:
        places = finish()
        found = compare(study_with(metric=name), places)
        row = found.table.set_index("variant").loc["strong"]
        probabilities = found.images[found.images["variant"] == "strong"]["probability"]
        assert row[name] == pytest.approx(probabilities.mean(), abs=1e-6)
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]
        assert json.loads(places.metrics("strong").read_text())["mean"][name] == pytest.approx(row[name])
        assert name in set(found.pairs["metric"])
        assert name in json.loads(read(places, "summary.json"))["weak"]
        assert "Label probability" in read(places, "comparison.md")
        assert "Label probability" in read(places, "comparison.tex")
        assert choice_problems(study_with(metric=name)) == []


def test_another_seed_draws_other_intervals_and_the_same_values(finished: Places, study_with: MakeStudy) -> None:
    study = study_with()
    first = compute_comparison(study, finished).table
    section = study.params.study.model_copy(update={"seed": 4})
    other = Study(study.params.model_copy(update={"study": section}), study.variants, study.where)
    second = compute_comparison(other, finished).table
    pd.testing.assert_series_equal(first["accuracy"], second["accuracy"])
    assert (first["f1_macro_low"] != second["f1_macro_low"]).any()


def test_all_tables_have_the_columns_that_results_documents(study_with: MakeStudy, finish: Finish) -> None:
    found = compute_comparison(study_with(reference=REFERENCE), finish(classes=2))
    documented = {
        "pairs": results.PAIRS,
        "effects": results.EFFECTS,
        "calibration": results.CALIBRATION,
        "reliability": results.RELIABILITY,
        "operating": results.OPERATING,
        "curves": results.CURVES,
        "per_class": results.PER_CLASS,
        "confusion": results.CONFUSION,
        "learning": results.LEARNING,
        "images": results.IMAGES,
        "published": results.PUBLISHED,
    }
    for name, columns in documented.items():
        assert tuple(getattr(found, name)) == columns, name
        assert len(getattr(found, name)) or name == "effects", name
    for name in documented.keys() - {"pairs", "effects", "curves", "published", "per_class"}:
        assert set(getattr(found, name)["variant"]) == {"weak", "strong", "twin"}, name
    assert set(found.curves["variant"]) == {"weak", "strong", "twin", "treat all", "treat none"}
    assert set(found.per_class["variant"]) == {"weak", "strong", "twin", "constant", "nearest_neighbour"}


def test_the_verdict_and_the_table_agree_with_the_pairs(study_with: MakeStudy, finished: Places) -> None:
    found = compute_comparison(study_with(), finished)
    table = found.table.set_index("variant")
    verdict, pairs = found.verdict, found.pairs[found.pairs["metric"] == "accuracy"]
    assert (verdict.best, verdict.tied, set(verdict.worse)) == (table.index[0], (table.index[1],), {"weak"})
    assert (verdict.value, verdict.low) == (table["accuracy"].iloc[0], table["accuracy_low"].iloc[0])
    for name in table.index[1:3]:
        pair = pairs[pairs["a"].isin([name, verdict.best]) & pairs["b"].isin([name, verdict.best])].iloc[0]
        row = table.loc[name]
        assert row["p_corrected"] == pair["p_corrected"]
        assert row["difference_to_best"] == -abs(pair["difference"])
        assert row["difference_low"] < row["difference_to_best"] < row["difference_high"]


def test_the_score_on_validation_images_is_shown_and_held_against_the_interval(
    study_with: MakeStudy, finish: Finish
) -> None:
    places = finish()
    predictions = pd.read_parquet(places.predictions("weak"))
    rows = predictions[predictions["role"] == "validation"]
    columns = [name for name in rows if name.startswith("p_")]
    by_run = (rows[columns].to_numpy().argmax(axis=1) == rows["label"]).groupby([rows["fold"], rows["seed"]])
    found = compute_comparison(study_with(), places)
    table = found.table[found.table["kind"] == "variant"].set_index("variant")
    assert table.loc["weak", "accuracy_validation"] == pytest.approx(by_run.mean().mean())
    beyond = set(table.index[table["accuracy_validation"] > table["accuracy_high"]])
    told = " ".join(warning for warning in found.warnings if warning.startswith("VALIDATION"))
    assert {name for name in table.index if f"{name} (" in told} == beyond
    predictions.loc[rows.index, columns] = np.eye(len(columns))[rows["label"]]
    write_rows(places.predictions("weak"), [predictions])
    (warning,) = (line for line in compute_comparison(study_with(), places).warnings if line.startswith("VALIDATION"))
    assert "weak (1.000 and " in warning


def test_rotating_folds_add_the_corrected_t_test(study_with: MakeStudy, finish: Finish) -> None:
    found = compute_comparison(study_with(), finish(folds=3))
    assert found.test == {"images": 90, "groups": 30, "resamples": 300}
    assert found.pairs["resampled_t_p"].notna().all()
    assert (found.table["accuracy_se"] > 0)[:3].all()


def test_few_groups_are_warned_of(study_with: MakeStudy, finish: Finish) -> None:
    places = finish()
    for name in ("weak", "strong", "twin", "constant", "nearest_neighbour"):
        table = pd.read_parquet(places.predictions(name))
        few = table[(table["role"] == "validation") | (table["path"] < "image027.png")]
        write_rows(places.predictions(name), [few])
    warnings = compute_comparison(study_with(), places).warnings
    assert warnings[0].startswith("LEAKAGE")
    assert any("SMALL N: 9 groups" in warning for warning in warnings)


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc"])
def test_a_variant_no_better_than_the_majority_class_is_warned_of(
    study_with: MakeStudy, finished: Places, metric: str
) -> None:
    def warned() -> list[str]:
        found = compute_comparison(study_with(metric=metric), finished).warnings
        return [text for text in found if text.startswith("CHANCE LEVEL")]

    write_rows(finished.predictions("weak"), [drawn_predictions(0.9, 2, 2).table])
    assert warned() == []
    guesses = drawn_predictions(0.0, 2, 2)
    write_rows(finished.predictions("weak"), [guesses.table])
    (warning,) = warned()
    assert "ignores the image (accuracy" in warning if metric == "accuracy" else "ignores the image (ROC-AUC" in warning
    assert ": weak (." in warning
    assert "strong" not in warning
    assert warning.endswith("; try a lower lr, a warm-up (schedule.warmup) or more epochs")


def test_all_variants_at_chance_level_are_named_and_those_without_a_learning_rate_get_other_advice(
    study_with: MakeStudy,
) -> None:
    study, rows = study_with(), {"constant": (0.4, 0.5)}
    line = study.variants["weak"]
    fitted = replace(line, strategy=line.strategy.model_copy(update={"train": "head", "head": "prototypes"}))
    lines = {"few_shot": fitted} | {f"weak{number}": line for number in range(7)}
    rows |= dict.fromkeys(lines, (0.3, 0.45))
    table = pd.DataFrame(
        [
            {"variant": name, "kind": "variant", "accuracy": value, "accuracy_low": value, "accuracy_high": high}
            for name, (value, high) in rows.items()
        ]
    )
    (warning,) = chance_warnings(Study(study.params, lines, study.where), table)
    assert all(f"{name} (.300)" in warning for name in lines)
    assert warning.endswith("or more epochs; for few_shot try another backbone or more images")
    (warning,) = chance_warnings(Study(study.params, {"few_shot": fitted}, study.where), table)
    assert warning.endswith("few_shot (.300); for few_shot try another backbone or more images")


def test_a_head_that_is_not_trained_is_not_warned_of(study_with: MakeStudy, finished: Places) -> None:
    write_rows(finished.predictions("weak"), [drawn_predictions(0.0, 2, 2).table])
    study = study_with()
    line = study.variants["weak"]
    untrained = replace(line, strategy=line.strategy.model_copy(update={"train": "none"}))
    found = compute_comparison(
        Study(study.params, study.variants | {"weak": untrained}, study.where), finished
    ).warnings
    assert not [text for text in found if text.startswith("CHANCE LEVEL")]


def test_all_missing_predictions_are_named_with_their_command(study_with: MakeStudy, finished: Places) -> None:
    for name in ("twin", "constant"):
        finished.predictions(name).unlink()
    with pytest.raises(UserError) as raised:
        compute_comparison(study_with(), finished)
    assert raised.value.problems == [
        f"predictions/{name}.parquet is missing; `dvc repro evaluate@{name}`" for name in ("twin", "constant")
    ]


def test_predictions_of_other_test_images_are_an_error(study_with: MakeStudy, finished: Places) -> None:
    table = pd.read_parquet(finished.predictions("twin"))
    write_rows(finished.predictions("twin"), [table[table["path"] != "image007.png"]])
    with pytest.raises(UserError, match=r"^predictions/twin\.parquet covers other test images"):
        compute_comparison(study_with(), finished)


def test_validation_rows_change_nothing_but_their_own_column(study_with: MakeStudy, finished: Places) -> None:
    expected = compute_comparison(study_with(), finished).table
    for name in ("strong", "constant"):
        table = pd.read_parquet(finished.predictions(name))
        further = table.assign(role="validation", path="v" + table["path"], label=0)
        write_rows(finished.predictions(name), [table, further])
    own = ["accuracy_validation"]
    found = compute_comparison(study_with(), finished).table
    pd.testing.assert_frame_equal(found.drop(columns=own), expected.drop(columns=own))


def test_files_of_removed_variants_are_named_and_ignored(
    study_with: MakeStudy, finished: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    left_over = finished.predictions("an_old_one")
    shutil.copy(finished.predictions("twin"), left_over)
    table = compare(study_with(), finished).table
    assert "an_old_one" in capsys.readouterr().err
    assert left_over.exists()
    assert "an_old_one" not in set(table["variant"])


def test_the_points_for_plots_are_those_of_the_predictions(study_with: MakeStudy, finished: Places) -> None:
    compare(study_with(), finished)
    plots = finished.root / "plots" / "points"
    learning = pd.read_csv(plots / "learning_curves.csv")
    weak = learning[learning["variant"] == "weak"]
    assert weak["epoch"].tolist() == [1, 2]
    assert weak["train_loss"].tolist() == [1.0, 0.5]
    confusion = pd.read_csv(plots / "confusion.csv")
    for name, rows in confusion.groupby("variant"):
        assert rows["count"].sum() == 2 * 90
        right = rows.loc[rows["label"] == rows["predicted"], "count"].sum() / 180
        runs = ClassPredictions(pd.read_parquet(finished.predictions(str(name)))).tests.runs().values()
        assert right == pytest.approx(np.mean([(scores.argmax(axis=1) == labels).mean() for labels, scores in runs]))
    roc = pd.read_csv(plots / "roc_curves.csv")
    assert set(roc["variant"]) == {"weak", "strong", "twin"}


@pytest.mark.parametrize(("metric", "promised", "warned"), [
    ("accuracy", 0.91, True), ("accuracy", 0.89, False), ("mae", 0.69, True), ("mae", 0.95, False),
])  # fmt: skip
def test_a_promise_beyond_the_interval_is_a_warning_whichever_way_is_better(
    study_with: MakeStudy, metric: str, promised: float, warned: bool
) -> None:
    row = {"variant": "weak", "kind": "variant", metric: 0.8, f"{metric}_low": 0.7, f"{metric}_high": 0.9}
    found = promise_warnings(study_with(metric=metric), pd.DataFrame([row | {f"{metric}_validation": promised}]))
    assert bool(found) == warned


@pytest.mark.parametrize(
    ("metric", "values", "named"),
    [
        ("accuracy", {"a": 0.6, "b": 0.7, "constant": 0.9, "nearest_neighbour": 0.71}, "b (.700)"),
        ("accuracy", {"a": 0.6, "b": 0.7, "constant": 0.9, "nearest_neighbour": 0.7}, ""),
        ("log_loss", {"a": 0.6, "b": 0.7, "constant": 0.9, "nearest_neighbour": 0.5}, "a (.600)"),
        ("log_loss", {"a": 0.6, "b": 0.7, "constant": 0.1, "nearest_neighbour": 0.65}, ""),
        ("accuracy", {"a": 0.6, "constant": 0.9}, ""),
    ],
)
def test_a_baseline_that_no_variant_reaches_is_named(
    study_with: MakeStudy, metric: str, values: dict[str, float], named: str
) -> None:
    rows = [
        {"variant": name, "kind": "variant" if len(name) == 1 else "baseline", metric: value}
        for name, value in values.items()
    ]
    found = baseline_warnings(study_with(metric=metric), pd.DataFrame(rows))
    assert [named in warning and "nearest_neighbour" in warning for warning in found] == [True] * bool(named)
