"""DVC stage `weights@backbone`: the verified weights of a backbone, and a card about their origin."""

from __future__ import annotations

import sys

from medtransfer.models.weights_card import without_weights
from medtransfer.study import item_of, load_study
from medtransfer.util.command import run
from medtransfer.util.files import atomic_folder, write_json
from medtransfer.util.places import HERE


def main(name: str) -> None:
    """Find the weights of a backbone as its `weights` says; those of one that no variant uses are not fetched."""
    study = load_study()
    params, spec = study.params, study.backbone(name)
    model = spec.model or name
    with atomic_folder(HERE.weights(name)) as folder:
        if spec.weights == "none":
            card = without_weights(model)
        elif name not in study.used_backbones:
            card = without_weights(model, "not fetched: no variant uses this backbone")
        else:
            from medtransfer.models.weights import obtain_weights, save_state

            state, card = obtain_weights(name, spec, params.weights_mirror)
            save_state(state, folder / "weights.safetensors")
        write_json(folder / "card.json", card.model_dump(mode="json"))


if __name__ == "__main__":
    run(lambda: main(item_of(sys.argv[1])))
