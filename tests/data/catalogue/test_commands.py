"""`medtransfer datasets` shows the catalogue, and `medtransfer use --dataset` applies an entry."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from medtransfer.cli import main
from medtransfer.data.catalogue import find_entry, references
from medtransfer.data.catalogue.page import catalogue_table, entry_page
from medtransfer.study import load_study
from medtransfer.study.loading import read_yaml
from medtransfer.study.use import command_of
from medtransfer.util.errors import UserError

ROOT = Path(__file__).parents[3]
CHEST = "paultimothymooney/chest-xray-pneumonia"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, that of a study, with the two templates among its studies."""
    (tmp_path / "studies").mkdir()
    (tmp_path / "dvc.yaml").touch()
    for name in ("own_images", "own_masks"):
        shutil.copy(ROOT / f"studies/{name}.yaml", tmp_path / "studies")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_table_has_an_aligned_row_for_each_set() -> None:
    header, *rows, legend = catalogue_table().splitlines()
    assert legend == "* unchecked: no source confirms it"
    assert [row.split()[0] for row in rows] == list(references())
    for column in ("shows", "task", "licence"):
        at = header.index(column)
        assert all(row[at - 2 : at] == "  " for row in rows if len(row) >= at)
        assert all(row[at] != " " for row in rows if len(row) > at)
    (row,) = [row for row in rows if row.startswith(CHEST)]
    assert "classification" in row and row.split()[-5:] == ["5,856", "2", "CC", "BY", "4.0"]


def test_a_pattern_searches_all_that_describes_a_set(capsys: pytest.CaptureFixture[str]) -> None:
    main(["datasets", "FUNDUS"])
    found = capsys.readouterr().out.splitlines()[1:-1]
    assert found and all("fundus" in row for row in found)
    with pytest.raises(
        UserError, match="no set of the catalogue contains 'nonsense'; `medtransfer datasets` lists all"
    ):
        catalogue_table("nonsense")


def test_a_reference_is_shown_in_full_with_the_source_of_each_fact(capsys: pytest.CaptureFixture[str]) -> None:
    main(["datasets", CHEST])
    page, entry = " ".join(capsys.readouterr().out.split()), find_entry(CHEST)
    for source in entry.sources.values():
        assert source in page
    for flaw in entry.flaws:
        assert f"- {flaw.says} [{flaw.source}]" in page
    for text in (entry.page, "NORMAL (1,583), PNEUMONIA (4,273)", f"medtransfer use STUDY --dataset {CHEST}"):
        assert text in page


@pytest.mark.parametrize("reference", references())
def test_every_page_can_be_shown(reference: str) -> None:
    page = entry_page(find_entry(reference))
    assert max(map(len, page.splitlines())) <= 160
    assert ("cannot read it" in page) == (find_entry(reference).reading is None)


@pytest.mark.parametrize("option", [["--dataset", CHEST], ["-S", f"data.dataset={CHEST}"]])
def test_use_writes_what_the_entry_says_and_later_changes_win(here: Path, option: list[str]) -> None:
    main(["use", "own_images", *option, "-S", "data.leakage=regroup", "-S", "data.split={method: kfold, folds: 5}"])
    data = load_study(here / "params.yaml").params.data
    assert (data.dataset, data.source) == (CHEST, "kaggle")
    assert data.kaggle is not None
    assert (data.kaggle.dataset, data.kaggle.version) == (CHEST, 2)
    assert (data.layout.kind, data.layout.root) == ("split_folders", "chest_xray")
    assert data.group is not None
    assert (data.split.method, data.split.folds, data.leakage) == ("kfold", 5, "regroup")
    command = command_of(here / "studies", here / "params.yaml")
    main(["use", *command.split(" ")[2:3], *option, "-S", "data.leakage=fail"])
    assert read_yaml(here / "params.yaml")["data"]["dataset"] == CHEST


@pytest.mark.parametrize(
    ("study", "reference", "changes"),
    [
        ("own_images", "kmader/skin-cancer-mnist-ham10000", []),
        ("own_images", "aptos2019-blindness-detection", []),
        ("own_images", "andrewmvd/isic-2019", ["data.source=folder", "data.folder=isic"]),
        ("own_images", "andrewmvd/isic-2019", ["data.kaggle={dataset: andrewmvd/isic-2019, version: 1}"]),
        ("own_masks", "debeshjha1/kvasirseg", []),
    ],
)
def test_sets_of_all_kinds_can_be_used(here: Path, study: str, reference: str, changes: list[str]) -> None:
    main(["use", study, "--dataset", reference, *(word for change in changes for word in ("-S", change))])
    assert load_study(here / "params.yaml").params.data.dataset == reference


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["own_images", "--dataset", "paultimothymooney/chest-xray"], f"did you mean '{CHEST}'?"),
        (["own_images", "--dataset", "nih-chest-xrays/data"], "is for multilabel, but the study own_images is for"),
        (["own_images", "--dataset", "debeshjha1/kvasirseg"], "is for segmentation, but the study own_images is"),
        (["own_images", "--dataset", "jr2ngb/cataractdataset"], "the catalogue knows no version of it; take the"),
        (["own_image", "--dataset", CHEST], "no study 'own_image'; did you mean 'own_images'?"),
    ],
)  # fmt: skip
def test_a_set_that_cannot_be_used_is_one_line(here: Path, arguments: list[str], line: str) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["use", *arguments])
    (said,) = str(raised.value.code).splitlines()
    assert line in said
    assert not (here / "params.yaml").exists()


def test_check_knows_the_sets_of_the_catalogue(here: Path) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["use", "own_images", "--dataset", CHEST, "-S", "data.dataset=someone/else"])
    assert "data.dataset: no set 'someone/else' in the catalogue" in str(raised.value.code)
