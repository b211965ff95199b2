"""Each stage imports only those libraries that its work needs: importing all of them takes longer than most stages."""

from __future__ import annotations

import pytest

from .conftest import Project

HEAVY = {"albumentations", "captum", "cv2", "dvc", "huggingface_hub", "kaggle", "matplotlib", "mlflow"}
HEAVY |= {"pandas", "scipy", "scipy.stats", "segmentation_models_pytorch", "sklearn", "sympy", "timm", "torch"}
HEAVY |= {"torch._dynamo", "torchvision"}

NEEDED = {
    "download": {"cv2", "pandas"},  # by the simulation
    "prepare": {"cv2", "matplotlib", "pandas", "scipy"},
    "augment@flips": {"albumentations", "cv2", "matplotlib", "pandas", "scipy"},
    "weights@cnn_small": set[str](),
    "weights@pretrained": {"torch"},
    "train@scratch": {"pandas", "torch"},
    "train@frozen": {"pandas", "torch"},
    "train@few_shot": {"pandas", "torch"},
    "evaluate@frozen": {"matplotlib", "pandas", "scipy", "torch"},
    "baselines": {"cv2", "pandas", "scipy", "scipy.stats", "sklearn"},
    "explain@frozen": {"captum", "cv2", "matplotlib", "pandas", "scipy", "scipy.stats", "torch"},
}


@pytest.mark.parametrize("stage", NEEDED)
def test_a_stage_imports_only_what_it_needs(finished: Project, stage: str) -> None:
    imported = set(finished.read(f".medtransfer/imported/{stage}").splitlines())
    assert "medtransfer.study" in imported
    assert imported & HEAVY <= NEEDED[stage]
