"""A repository in which one small variant was trained and compared."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from builders import tiny_inputs, tiny_pairs, tiny_prepared

from medtransfer.training.variant import train_variant
from medtransfer.util.files import write_json

TABLE = """\
variant,kind,accuracy,accuracy_low,accuracy_high,roc_auc,roc_auc_low,roc_auc_high,log_loss,parameters
tiny,variant,0.75,0.5,0.875,0.8,0.7,0.9,1.5,1000
rival,variant,0.1,0.1,0.1,0.1,0.1,0.1,1.5,1000
constant,baseline,0.3,0.2,0.4,0.5,0.5,0.5,1.5,
"""


@pytest.fixture(scope="session")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with data, a trained variant `tiny` and its metrics; tests must not change it."""
    folder = tmp_path_factory.mktemp("repository")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        inputs = tiny_inputs(tiny_prepared(folder), epochs=1)
        train_variant(inputs, folder / "models/tiny", folder / "cost.json", lambda *_: None)
    described = {
        "source": "kaggle",
        "reference": "owner/heads",
        "version": 3,
        "licence": "CC-BY-4.0",
        "sha256": "ab" * 32,
    }
    write_json(folder / "data/manifest.json", described)
    classes = {name: {"precision": 0.5, "recall": 0.25, "f1": 0.3333, "labels": 4.0} for name in ("cyst", "mass")}
    write_json(folder / "metrics/variants/tiny.json", {"classes": classes, "test_images": 14})
    (folder / "metrics/comparison.csv").write_text(TABLE, encoding="utf-8")
    shutil.copy(root / "studies/phantom.yaml", folder / "params.yaml")
    return folder


@pytest.fixture
def repository(finished: Path, tmp_path: Path) -> Path:
    """Return a copy of the finished repository."""
    shutil.copytree(finished, tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture(scope="session")
def of_masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with image/mask pairs and a trained U-Net `tiny`; tests must not change it."""
    folder = tmp_path_factory.mktemp("pairs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        inputs = tiny_inputs(tiny_pairs(folder), epochs=3, loss="dice", lr=3e-3)
        train_variant(inputs, folder / "models/tiny", folder / "cost.json", lambda *_: None)
    return folder
