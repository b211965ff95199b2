"""The common scale of all learning curves shows most of them."""

from __future__ import annotations

import pandas as pd
import pytest

from medtransfer.report.sections.learning import Measure, learning_figure, limits_of, measure_of
from medtransfer.tasks import TASKS

LOSS = Measure("loss", "loss (nats)")
DICE = Measure("dice", "mean Dice", is_share=True)


def history(name: str, train: list[float], validation: list[float]) -> pd.DataFrame:
    runs = {"fold": 0, "seed": 0, "epoch": range(len(train))}
    return pd.DataFrame(runs | {f"train_{name}": train, f"validation_{name}": validation})


def test_a_scale_of_dice_ends_at_one_and_the_first_epoch_may_be_below_it() -> None:
    histories = [history("dice", [0.1, 0.93, 0.97], [0.5, 0.91, 0.95]), history("dice", [0.2, 0.95, 0.99], [0.9] * 3)]
    assert limits_of(histories, DICE) == (0.9, 1.0)


def test_a_scale_of_losses_starts_at_zero_and_a_diverged_one_may_be_above_it() -> None:
    calm = [history("loss", [2.0, 1.0], [2.0, 1.5])] * 10
    assert limits_of([*calm, history("loss", [2.0, 900.0], [2.0, 900.0])], LOSS) == (0.0, 1.05 * 2.0)


def test_a_scale_of_losses_that_start_a_hundred_times_higher_is_logarithmic() -> None:
    histories = {str(number): history("loss", [500.0, 2.0, 1.0, 0.5], [90.0, 1.0, 0.8, 0.6]) for number in range(3)}
    limits = limits_of(list(histories.values()), LOSS)
    assert limits == pytest.approx((0.5 / 1.05, 1.05 * 500))
    axes = learning_figure(histories, LOSS, dict.fromkeys(histories, limits)).axes
    assert [axis.get_yscale() for axis in axes] == ["log"] * 3
    axes = learning_figure(histories, LOSS, dict.fromkeys(histories, (0.0, 1.0))).axes
    assert [axis.get_yscale() for axis in axes] == ["linear"] * 3


def test_folds_are_averaged() -> None:
    folds = pd.concat([history("dice", [0.1, 0.9], [0.1, 0.6]), history("dice", [0.1, 0.9], [0.1, 0.8])])
    assert limits_of([folds], DICE) == (0.7, 1.0)


@pytest.mark.parametrize(
    ("kinds", "label"),
    [
        ({"cross_entropy", "focal"}, "loss (nats)"),
        ({"squared_error"}, "loss (squared grades)"),
        ({"cross_entropy", "earth_mover"}, "loss (units differ)"),
    ],
)
def test_a_loss_is_in_nats_only_if_it_is_a_likelihood(kinds: set[str], label: str) -> None:
    assert measure_of(TASKS["ordinal"], "", kinds).label == label


def test_a_long_label_fits_beside_its_axis() -> None:
    measure = Measure("mae", "mean absolute error (px)")
    figure = learning_figure({"mlp": history("mae", [60.0, 30.0], [50.0, 30.0])}, measure, {"mlp": (0.0, 75.0)})
    figure.draw_without_rendering()
    box = figure.axes[0].yaxis.label.get_window_extent()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.y1 <= figure.bbox.y1
