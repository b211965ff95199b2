"""The input and output of a trained model in words, for users of the model who do not have this project."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from medtransfer.tasks import TASKS
from medtransfer.util.places import run_name

INPUT = "pixels"
RESIZING = {
    "stretch": "stretch to SIZE x SIZE",
    "crop": "scale the shorter side to SIZE and crop the central square",
    "pad": "scale the longer side to SIZE and pad with black to a square",
}


def describe_model(card: dict[str, Any], runs: Sequence[tuple[int, int]]) -> dict[str, str]:
    """Describe a model's input, output and origin; all values are texts, lists in JSON.

    card: that of the trained variant. runs: those whose mean the model returns, as (fold, seed).
    """
    size = card["image_size"]
    return {
        "variant": card["variant"],
        "runs": json.dumps([run_name(fold, seed) for fold, seed in runs]),
        "classes": json.dumps(card["classes"], ensure_ascii=False),
        "input": f"{INPUT}: uint8 [batch, {card['channels']}, {size}, {size}], 0 to 255",
        "output": f"{output_name(card)}: float32 [{output_shape(card)}], in the order of classes, the mean over runs",
        "preprocessing": preprocessing(card["channels"], size, card["resize"]),
        "data_sha256": card["data"]["pixels_sha256"],
        "warnings": json.dumps(card["data"]["warnings"], ensure_ascii=False),
    }


def output_name(card: dict[str, Any]) -> str:
    """Return the name of the output, which describes its values."""
    return TASKS[card["task"]].answer


def output_shape(card: dict[str, Any]) -> str:
    """Return the dimensions of the output: probabilities of images, or of their pixels."""
    pixels = f", {card['image_size']}, {card['image_size']}" if TASKS[card["task"]].per_pixel else ""
    return f"batch, {len(card['classes'])}{pixels}"


def preprocessing(channels: int, size: int, resize: str) -> str:
    """Describe the steps from an image file to the input."""
    colours = "8-bit grey" if channels == 1 else "8-bit RGB"
    return (
        f"rotate the image upright by its EXIF tag; convert it to {colours} (grey with more bits: scaled from the "
        f"image's own minimum and maximum); {RESIZING[resize].replace('SIZE', str(size))}, bilinear with antialiasing; "
        "put the channels first. Scaling to [0, 1] and normalisation are part of the model."
    )
