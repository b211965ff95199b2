"""The Pareto front by its definition, and the names next to the points."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from scipy.optimize import LinearConstraint, minimize

from medtransfer.report.material import Material
from medtransfer.report.sections.cost import PARAMETERS, content, cost_figure, pareto_front, spread

POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12)


@given(POINTS)
def test_the_front_has_the_points_that_none_beats(points: list[tuple[int, int]]) -> None:
    costs, values = (np.array(column, float) for column in zip(*points, strict=True))

    def beaten(cost: float, value: float) -> bool:
        return any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in points)

    assert pareto_front(costs, values).tolist() == [not beaten(cost, value) for cost, value in points]


def test_a_front_computed_by_hand() -> None:
    costs = np.array([1.0, 2.0, 2.0, 3.0, np.nan])
    values = np.array([0.5, 0.6, 0.7, 0.6, 0.9])
    assert pareto_front(costs, values).tolist() == [True, False, True, False, False]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=6))
def test_heights_move_as_little_as_they_can(heights: list[float]) -> None:
    given_heights, least = np.array(heights), 10.0
    moved = spread(given_heights, least)
    order = np.argsort(given_heights, kind="stable")
    assert (np.diff(moved[order]) >= least - 1e-9).all()
    size = len(heights)
    steps = np.eye(size - 1, size, 1) - np.eye(size - 1, size)
    constraints = [LinearConstraint(steps, least, np.inf)] if size > 1 else []
    start = given_heights[order] + 2 * least * np.arange(size)
    best = minimize(lambda z: ((z - given_heights[order]) ** 2).sum(), start, constraints=constraints, method="SLSQP")
    assert ((moved - given_heights) ** 2).sum() <= best.fun + 1e-4


def test_points_of_the_front_are_named(material: Material) -> None:
    table = material.found.table
    variants = table[table["kind"] == "variant"]
    front = np.array([True, False, True, False])
    figure: Figure = cost_figure(variants, front, "accuracy", PARAMETERS, "Accuracy", material.looks)
    named = [text.get_text() for text in figure.axes[0].texts if isinstance(text, Annotation)]
    assert named == ["resnet_frozen", "small_frozen"]
    assert figure.axes[0].get_xlabel() == "parameters (millions)"
    assert figure.axes[0].get_ylabel() == "Accuracy"


def test_long_names_are_replaced_by_those_of_backbones(material: Material) -> None:
    table = material.found.table
    variants = table[table["kind"] == "variant"].assign(
        variant=lambda rows: rows["variant"] + "_with_quite_a_long_name"
    )
    figure: Figure = cost_figure(
        variants, np.array([True, False, True, False]), "accuracy", PARAMETERS, "Accuracy", material.looks
    )
    named = [text.get_text() for text in figure.axes[0].texts if isinstance(text, Annotation)]
    assert named == list(variants["backbone"].iloc[[0, 2]])


def test_figures_that_differ_between_two_runs_have_their_own_folder(material: Material) -> None:
    panels = content(material)["panels"]
    assert len(panels) == 3
    assert "On the Pareto front: small_frozen, resnet_frozen." in panels[0]
    plots = material.places.root / "plots"
    assert {path.name for path in (plots / "figures").iterdir()} == {"size.png"}
    assert {path.name for path in (plots / "costs").iterdir()} == {"training_time.png", "latency.png"}


def test_the_time_of_frozen_layers_is_given_if_there_are_any(material: Material) -> None:
    costs = material.found.costs
    for seconds, expected in ((1.6, f"{1.6 * len(costs):,.0f} s"), (0.0, "")):
        costs["frozen_seconds"] = seconds
        assert content(material)["frozen"] == expected


def test_an_unknown_cost_has_no_panel(material: Material) -> None:
    material.found.costs["seconds_an_image"] = np.nan
    assert len(content(material)["panels"]) == 2


@pytest.mark.parametrize("count", [1, 2])
def test_equal_variants_are_all_on_the_front(count: int) -> None:
    assert pareto_front(np.ones(count), np.ones(count)).all()


@pytest.mark.parametrize("share", [1.0004, 1.1, 2.0, 40.0])
def test_numbers_and_labels_of_the_axes_can_be_read(material: Material, share: float) -> None:
    table = material.found.table
    variants = table[table["kind"] == "variant"].assign(parameters=[3.3761e6, *[3.3761e6 * share] * 3])
    variants["accuracy"] = [0.625, 0.63, 0.6275, 0.62]
    ends = {"accuracy_low": variants["accuracy"] - 0.001, "accuracy_high": variants["accuracy"] + 0.001}
    front = np.array([True, False, True, False])
    figure: Figure = cost_figure(
        variants.assign(**ends), front, "accuracy", PARAMETERS, "Mean absolute error (px)", material.looks
    )
    figure.draw_without_rendering()
    axis = figure.axes[0]
    left, right = axis.get_xlim()
    assert right > 1.99 * left
    numbers = [label for label in axis.get_xticklabels() if left <= label.get_position()[0] <= right]
    boxes = [label.get_window_extent() for label in numbers]
    assert len(boxes) > 1
    assert all(first.x1 < second.x0 for first, second in pairwise(boxes))
    assert axis.yaxis.label.get_window_extent().x0 >= 0
