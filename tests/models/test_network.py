"""Normalisation to the bit of its formula, for grey and colour."""

from __future__ import annotations

import pytest
import torch

from medtransfer.models.network import Normalise


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("packed", [True, False], ids=["channels last", "channels first"])
def test_pixels_become_what_the_formula_gives_to_the_bit(channels: int, packed: bool) -> None:
    pixels = torch.randint(0, 256, (5, channels, 9, 7), dtype=torch.uint8)
    if packed:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    expected = (pixels.float() / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    images = Normalise(mean, std)(pixels)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, expected)
