"""A frozen backbone, 50 epochs, 3 seeds, 4 learning rates: kept features against the loop that computes them anew.

    python benchmarks/frozen_cache.py          # on an idle machine; writes benchmarks/results/frozen_cache.md
    python benchmarks/frozen_cache.py quick    # few images and epochs, to see that it runs

With kept features the time is that of everything: drawing the views, the backbone on each, all heads, the models on
disk, four variants one after another as the pipeline runs them, with nothing kept at first. The plain loop would take
an hour: the median of a few of its epochs is multiplied by the 600 that it needs. It is timed with tensors laid out as
torch does unless told, and with channels last, which the project always takes.
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
"""How often each number of views is measured; 50 of them are fifty fillings in themselves."""

PLAIN_EPOCHS = 3


def all_of_it(prepared: Prepared, weights: Weights, views: int, epochs: int, folder: Path) -> None:
    """Draw the views and train every rate and seed."""
    policy = policy_of(views)
    inputs = inputs_of(prepared, drawn(prepared, policy, folder / "views"), policy, weights, SEEDS, epochs=epochs)
    for rate in RATES:
        train(with_rate(inputs, rate), folder / f"{rate}")


def measure(folder: Path, prepared: Prepared, epochs: int, plain_epochs: int, counts: dict[int, int]) -> list[str]:
    """Take turns between the plain loop and the kept features; give the parts of the page."""
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
    """Lay out the seconds and the ratios."""
    runs = epochs * len(SEEDS) * len(RATES)
    plain = {name: statistics.median(found) * runs for name, found in plain_seconds.items()}
    rows = [[f"a loop, a new view every epoch: {name}", time, *ratios(time, plain)] for name, time in plain.items()]
    rows += [[f"kept features, {count} views", time, *ratios(time, plain)] for count, time in kept.items()]
    header = [f"{MODEL}, {epochs} epochs, 3 seeds, 4 rates", "seconds", *(f"faster than {name}" for name in plain)]
    return markdown_table(header, [[row[0], f"{row[1]:,.0f}", *row[2:]] for row in rows])


def ratios(time: float, plain: dict[str, float]) -> list[str]:
    """Say how many times as long each plain loop takes."""
    return [f"{whole / time:.1f}" for whole in plain.values()]


def checked(difference: float, epochs: int, plain_seconds: dict[str, list[float]]) -> str:
    """Say what the figures rest on."""
    medians = " and ".join(f"{statistics.median(found):.2f} s ({name})" for name, found in plain_seconds.items())
    count = len(next(iter(plain_seconds.values())))
    return (
        f"A loop's epoch takes {medians}, medians of {count}, times all epochs. After {epochs} epochs on the same "
        f"views the test probabilities of kept features and the plain loop differ by {difference:.1e} at most."
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
