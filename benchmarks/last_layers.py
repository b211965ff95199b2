"""Time training the last three layers of three backbones: cached activations against running the whole network.

    python benchmarks/last_layers.py          # on an idle machine; writes benchmarks/results/last_layers.md
    python benchmarks/last_layers.py quick    # few images and epochs, as a smoke test

20 epochs, 3 seeds, 8 views. The input of the first trained layer is cached. Everything is timed, from an empty cache to
the written models. The plain loop would take hours: the median of a few epochs of one run is multiplied. It is timed in
torch's default memory format and in channels-last, which the project always uses. Deeper networks get fewer images,
which shortens all ways alike.
"""

from __future__ import annotations

import shutil
import statistics
import sys
from functools import partial
from pathlib import Path

from plain_loop import LAYOUTS, epoch_seconds, train_plainly
from workload import (
    about,
    drawn,
    first_rows,
    inputs_of,
    largest_difference,
    part_of,
    policy_of,
    prepared_set,
    publish,
    scratch,
    seconds,
    train,
    weights_of,
)

from medtransfer.data.prepared import Prepared
from medtransfer.training.runs import Inputs
from medtransfer.util.places import state_folder
from medtransfer.util.text import markdown_table

EPOCHS, SEEDS, VIEWS, REPEATS = 20, [0, 1, 2], 8, 3
STRATEGY = {"train": {"last": 3}, "lr": 1e-4}
IMAGES = {"mobilenet_v3_small": (320, 96, 96), "resnet18": (160, 48, 48), "resnet50": (96, 32, 32)}
"""Numbers of training, validation and test images."""


HEADER = ["Last 3 layers of", "images", *(f"{name}, s" for name in LAYOUTS), "cached, s"]
HEADER += [*(f"speed-up over {name}" for name in LAYOUTS), "difference"]


def measure(prepared: Prepared, model: str, folder: Path, epochs: int, repeats: int) -> list[str]:
    """Alternate between both ways; return the table row."""
    policy, fresh = policy_of(VIEWS), drawn(prepared, policy_of("fresh"), folder / "fresh")
    short = inputs_of(
        prepared,
        drawn(prepared, policy, folder / "views"),
        policy,
        weights_of(model, folder),
        SEEDS,
        **STRATEGY,
        epochs=1,
    )
    plain = train_plainly(short, fresh, SEEDS[0], 1)
    difference = largest_difference(short, plain.probabilities, folder / "short")
    times: list[float] = []
    plain_seconds: dict[str, list[float]] = {name: [] for name in LAYOUTS}
    for repeat in range(repeats):
        times.append(seconds(partial(all_of_it, short, epochs, folder / str(repeat))))
        for name, found in epoch_seconds(short, fresh, SEEDS[0]).items():
            plain_seconds[name] += found
    kept = statistics.median(times)
    whole = [statistics.median(found) * epochs * len(SEEDS) for found in plain_seconds.values()]
    row = [model, f"{len(prepared.roles(0).train)}", *(f"{time:,.0f}" for time in whole), f"{kept:,.0f}"]
    return [*row, *(f"{time / kept:.1f}" for time in whole), f"{difference:.0e}"]


def all_of_it(short: Inputs, epochs: int, folder: Path) -> None:
    """Draw the views and train all seeds, starting from an empty cache."""
    shutil.rmtree(state_folder(), ignore_errors=True)
    policy = short.variant.policy
    views = drawn(short.prepared, policy, folder / "views")
    train(inputs_of(short.prepared, views, policy, short.weights, SEEDS, **STRATEGY, epochs=epochs), folder)


def main(quick: bool) -> None:
    """Measure each backbone and publish."""
    epochs, repeats = (2, 1) if quick else (EPOCHS, REPEATS)
    rows = []
    with scratch() as folder:
        whole = prepared_set(folder / "set")
        for model, counts in IMAGES.items():
            some = first_rows(whole, *(count // 4 if quick else count for count in counts))
            rows.append(measure(part_of(whole, folder / model, some), model, folder / f"of_{model}", epochs, repeats))
        text = (
            f"{epochs} epochs, {len(SEEDS)} seeds, {VIEWS} views. Plain loop: the median of {repeats} epochs, "
            "multiplied by their number. Difference: the largest in any test probability after one epoch on the same "
            "views."
        )
        publish("last_layers", markdown_table(HEADER, rows), text, about(whole), keep=not quick)


if __name__ == "__main__":
    main(sys.argv[1:] == ["quick"])
