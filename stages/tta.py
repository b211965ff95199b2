"""DVC stage `tta@variant`: predictions of a variant with test-time augmentation."""

from __future__ import annotations

import sys
from dataclasses import replace

from medtransfer.augmentation.tta import TestTimeViews
from medtransfer.data.prepared import Prepared
from medtransfer.deployment.trained import predict_variant
from medtransfer.study import item_of, load_study
from medtransfer.tasks.predictions import write_rows
from medtransfer.training.model_files import read_card
from medtransfer.util.command import run
from medtransfer.util.compute import choose_compute
from medtransfer.util.places import HERE


def main(name: str) -> None:
    """Predict the views of the variant `name`."""
    study = load_study()
    variant, model, prepared = study.variant(name), HERE.model(name), Prepared(HERE.prepared)
    settings, card = study.params.comparison.tta[name], read_card(model)
    compute = replace(choose_compute(study.params.training.device), precision=card["precision"])
    views = TestTimeViews(variant.policy, card["study_seed"], settings.views, card["image_size"])
    write_rows(HERE.tta(name), list(predict_variant(variant, prepared, model, compute, views=views)))


if __name__ == "__main__":
    run(lambda: main(item_of(sys.argv[1])))
