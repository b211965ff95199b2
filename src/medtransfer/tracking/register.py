"""The command `medtransfer register`: put a trained variant into MLflow's registry of models, with its card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from medtransfer.deployment.model import find_model
from medtransfer.deployment.model_card import model_card
from medtransfer.tracking.origin import origin
from medtransfer.tracking.variant_log import VariantLog, told_in_one_line
from medtransfer.util.places import Places
from medtransfer.util.processes import process_name


@told_in_one_line()
def register_variant(study: str, variant: str, root: Path = Path()) -> tuple[str, str]:
    """Register the model that MLflow has of a variant; return the name of the registered model and its version.

    The registered model is named as the study, its alias as the variant, and its description is the card. Raises
    `UserError` if the variant is not trained, or its model is not in MLflow.
    """
    model = find_model(variant, None, root)
    logged = replace(model, runs=model.runs[:1])  # as `VariantLog.evaluation` chooses it
    log = VariantLog(study, variant, process_name(), origin())
    return log.register(model.card, model_card(logged, None, Places(root), f"models:/{study}@{variant}"))
