"""The methods as text: figures from the study's files, references of what was used, and no markup from names."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from medtransfer.report.material import Material
from medtransfer.report.methods import methods_page
from medtransfer.study import External, Study

from .comparison import make_comparison
from .study import make_study, write_places


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return methods_page(Material(make_comparison(), write_places(tmp_path_factory.mktemp("methods"))))


def test_the_figures_are_those_of_the_files(text: str) -> None:
    for told in (
        "60 images in 30 groups were used. Left out: 2 unreadable.",
        "Data SHA-256: " + "f" * 64,
        "torchvision: IMAGENET1K_V1",
        "Test images: 24 in 12 groups.",
        "300 bootstrap resamples",
        "Recommended: resnet_tuned",
        "resnet_frozen has the best accuracy: Accuracy .900 [.850, .950]",
        "Each variant was trained with 2 seeds (0, 1)",
        "numpy ",
    ):
        assert told in text


def test_only_what_was_used_is_cited(text: str, tmp_path: Path) -> None:
    assert "Schuirmann 1987, A comparison" in text
    assert "Nadeau" not in text
    found = make_comparison(calibration=pd.DataFrame(), margins=make_comparison().margins.iloc[:0])
    assert "Guo et al. 2017, On" not in methods_page(Material(found, write_places(tmp_path)))


def test_external_sets_are_named_in_the_text_and_in_the_checklists(tmp_path: Path) -> None:
    study = make_study()
    elsewhere = External.model_validate({"source": "folder", "folder": "elsewhere", "layout": "class_folders"})
    data = study.params.data.model_copy(update={"external": {"hospital_b": elsewhere}})
    changed = Study(study.params.model_copy(update={"data": data}), study.variants, study.where)
    text = methods_page(Material(make_comparison(study=changed), write_places(tmp_path)))
    assert "Further test sets, used for nothing but the evaluation: hospital_b." in text
    assert "none: all images are from one set" not in text


def test_names_are_no_markup(text: str) -> None:
    assert "<script" not in text
    assert "<img" not in text
