"""What a variant trains on, and the hash of all that decides what comes of it."""

from __future__ import annotations

from dataclasses import dataclass

from medtransfer.augmentation.store import Views
from medtransfer.compute import Compute
from medtransfer.dataset.prepared import Prepared
from medtransfer.files import sha256_of_code, sha256_of_json
from medtransfer.study import Variant
from medtransfer.training.assemble import Weights

CODE = ("training", "backbones", "heads", "augmentation", "embeddings", "seeding.py", "compute.py")


@dataclass(frozen=True)
class Inputs:
    """What a variant trains on."""

    variant: Variant
    prepared: Prepared
    views: Views
    weights: Weights
    compute: Compute
    seeds: list[int]
    study_seed: int


def job_key(inputs: Inputs) -> str:
    """Hash everything that decides a variant's runs beside their fold and seed."""
    about = inputs.prepared.about
    parts = {
        "variant": inputs.variant.key(),
        "study_seed": inputs.study_seed,
        "pixels": about["pixels_sha256"],
        "table": about["table_sha256"],
        "masks": about["masks"]["sha256"] if inputs.prepared.target_masks is not None else None,
        "views": getattr(inputs.views, "sha256", None),
        "weights": inputs.weights.card.model_dump(mode="json"),
        "compute": inputs.compute.describe(),
        "code": sha256_of_code(*CODE),
    }
    return sha256_of_json(parts)[:32]
