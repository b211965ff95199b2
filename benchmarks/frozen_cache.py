"""Time a frozen backbone, 50 epochs, 3 seeds, 4 learning rates: cached features against recomputing them every epoch.

    python benchmarks/frozen_cache.py          # on an idle machine; writes benchmarks/results/frozen_cache.md
    python benchmarks/frozen_cache.py quick    # few images and epochs, as a smoke test

With cached features, everything is timed: drawing the views, running the backbone on each, training all heads, writing
the models; four variants in sequence, as in the pipeline, starting from an empty cache. The plain loop would take an
hour: the median of a few epochs is multiplied by the 600 that it needs. It is timed in torch's default memory format
and in channels-last, which the project always uses.
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
    with_rate,
)

from medtransfer.data.prepared import Prepared
from medtransfer.models.assemble import Weights
from medtransfer.util.places import state_folder
from medtransfer.util.text import markdown_table

MODEL, EPOCHS, SEEDS, RATES = "mobilenet_v3_small", 50, [0, 1, 2], (1e-4, 3e-4, 1e-3, 3e-3)
VIEWS = {8: 3, 50: 1}
"""Repetitions for each number of views; 50 views fill the cache fifty times anyway."""

PLAIN_EPOCHS = 3


def all_of_it(prepared: Prepared, weights: Weights, views: int, epochs: int, folder: Path) -> None:
    """Draw the views and train all rates and seeds."""
    policy = policy_of(views)
    inputs = inputs_of(prepared, drawn(prepared, policy, folder / "views"), policy, weights, SEEDS, epochs=epochs)
    for rate in RATES:
        train(with_rate(inputs, rate), folder / f"{rate}")


def measure(folder: Path, prepared: Prepared, epochs: int, plain_epochs: int, counts: dict[int, int]) -> list[str]:
    """Alternate between the plain loop and cached features; return the parts of the page."""
    weights, fresh = weights_of(MODEL, folder / "weights"), policy_of("fresh")
    views = drawn(prepared, fresh, folder / "fresh")
    short = with_rate(inputs_of(prepared, views, fresh, weights, SEEDS, epochs=plain_epochs), RATES[0])
    plain = train_plainly(short, views, SEEDS[0], plain_epochs)
    difference = largest_difference(short, plain.probabilities, folder / "short")
    plain_seconds: dict[str, list[float]] = {name: [] for name in LAYOUTS}
    kept = {}
    for count, repeats in counts.items():
        times = []
        for repeat in range(repeats):
            shutil.rmtree(state_folder(), ignore_errors=True)
            place = folder / f"{count}_{repeat}"
            times.append(seconds(partial(all_of_it, prepared, weights, count, epochs, place)))
            for name, found in epoch_seconds(short, views, SEEDS[0]).items():
                plain_seconds[name] += found
        kept[count] = statistics.median(times)
    return [table(plain_seconds, kept, epochs), checked(difference, plain_epochs, plain_seconds)]


def table(plain_seconds: dict[str, list[float]], kept: dict[int, float], epochs: int) -> str:
    """Format the seconds and ratios."""
    runs = epochs * len(SEEDS) * len(RATES)
    plain = {name: statistics.median(found) * runs for name, found in plain_seconds.items()}
    rows = [[f"{name}, a new view every epoch", time, *ratios(time, plain)] for name, time in plain.items()]
    rows += [[f"cached features, {count} views", time, *ratios(time, plain)] for count, time in kept.items()]
    header = [f"{MODEL}, {epochs} epochs, 3 seeds, 4 rates", "seconds", *(f"speed-up over {name}" for name in plain)]
    return markdown_table(header, [[row[0], f"{row[1]:,.0f}", *row[2:]] for row in rows])


def ratios(time: float, plain: dict[str, float]) -> list[str]:
    """Return the speed-up over each plain loop."""
    return [f"{whole / time:.1f}" for whole in plain.values()]


def checked(difference: float, epochs: int, plain_seconds: dict[str, list[float]]) -> str:
    """Describe how the figures were obtained."""
    medians = " and ".join(f"{statistics.median(found):.2f} s ({name})" for name, found in plain_seconds.items())
    count = len(next(iter(plain_seconds.values())))
    return (
        f"The loops are extrapolated from the median of {count} epochs: {medians}. After {epochs} epochs on the same "
        f"views, the test probabilities of both ways differ by at most {difference:.1e}."
    )


def main(quick: bool) -> None:
    """Measure and publish."""
    with scratch() as folder:
        prepared = prepared_set(folder / "set")
        said = about(prepared)
        if quick:
            prepared = part_of(prepared, folder / "part", first_rows(prepared, 64, 32, 32))
        work = (2, 1, {2: 1}) if quick else (EPOCHS, PLAIN_EPOCHS, VIEWS)
        publish("frozen_cache", *measure(folder, prepared, *work), said, keep=not quick)


if __name__ == "__main__":
    main(sys.argv[1:] == ["quick"])
