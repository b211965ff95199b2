"""Explanation methods, compared with maps computed by hand and with a plain implementation of occlusion."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medtransfer.deployment.explain.explainer import Explainer
from medtransfer.deployment.explain.methods import METHODS, Method
from medtransfer.deployment.explain.pointing import energy_inside, pointing_hits

Squares = tuple[np.ndarray, np.ndarray]


def test_grad_cam_weights_channels_by_their_mean_gradient(explainer: Explainer, squares: Squares) -> None:
    """The gradient of class 0 by each of 256 places of channel 0 is 8 / 256, and by channel 1 nothing."""
    grey = squares[0][..., 0] / 255
    for number, channel in enumerate((grey, 1 - grey)):
        maps = explainer.maps("grad_cam", squares[0], np.full(6, number))
        np.testing.assert_allclose(maps, channel * 8 / 256, rtol=1e-4)


def test_ablation_cam_weights_channels_by_the_drop_of_the_logit_without_them(
    explainer: Explainer, squares: Squares
) -> None:
    grey = squares[0][..., 0] / 255
    for number, channel in enumerate((grey, 1 - grey)):
        maps = explainer.maps("ablation_cam", squares[0], np.full(6, number))
        losses = 8 * channel.mean(axis=(1, 2), keepdims=True)
        np.testing.assert_allclose(maps, losses * channel, rtol=1e-4)


def test_occlusion_is_the_drop_of_the_probability_as_windows_cover_the_image(
    explainer: Explainer, squares: Squares
) -> None:
    pixels, step = squares[0], 2

    def probability(images: np.ndarray) -> np.ndarray:
        logits = explainer.network(torch.from_numpy(images).permute(0, 3, 1, 2))
        return logits.softmax(dim=1)[:, 0].detach().numpy()

    whole, falls, windows = probability(pixels), np.zeros((6, 16, 16)), np.zeros((16, 16))
    for row in range(0, 13, step):
        for column in range(0, 13, step):
            place = slice(row, row + 2 * step), slice(column, column + 2 * step)
            covered = pixels.copy()
            covered[:, place[0], place[1]] = 0  # what normalisation's mean is
            falls[:, place[0], place[1]] += (whole - probability(covered))[:, None, None]
            windows[place] += 1
    maps = explainer.maps("occlusion", pixels, np.zeros(6, int))
    np.testing.assert_allclose(maps, np.clip(falls / windows, 0, None), atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_maps_highlight_the_evidence_for_a_class_and_not_for_the_other(
    method: str, explainer: Explainer, squares: Squares
) -> None:
    pixels, masks = squares
    maps = explainer.maps(method, pixels, np.zeros(6, int))
    assert pointing_hits(maps, masks).tolist() == [1.0] * 6
    assert (energy_inside(maps, masks) > 3 * masks.mean()).all()
    against = explainer.maps(method, pixels, np.ones(6, int))
    assert (energy_inside(against, masks) < masks.mean()).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_map_is_bit_identical_twice_and_does_not_depend_on_its_batch(
    method: str, explainer: Explainer, squares: Squares
) -> None:
    pixels = np.concatenate([squares[0], squares[0][:, ::-1]])  # more than a batch
    together = explainer.maps(method, pixels, np.zeros(12, int))
    assert np.array_equal(together, explainer.maps(method, pixels, np.zeros(12, int)))
    alone = np.concatenate([explainer.maps(method, pixels[[row]], np.zeros(1, int)) for row in range(12)])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-6)


def test_a_method_is_added_from_outside_by_registering_it(
    explainer: Explainer, squares: Squares, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(METHODS, "_items", dict(METHODS))
    METHODS.register("pixels", Method("Pixels", False, lambda _, pixels, classes: pixels / 255))
    maps = explainer.maps("pixels", squares[0], np.zeros(6, int))
    np.testing.assert_allclose(maps, squares[0][..., 0] / 255, rtol=1e-6)
