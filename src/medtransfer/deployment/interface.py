"""What goes into a trained model and what comes out, in words, for those who have the model and not this project."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from medtransfer.util.places import run_name

INPUT, OUTPUT = "pixels", "probabilities"
RESIZING = {
    "stretch": "stretch to SIZE x SIZE",
    "crop": "scale the shorter side to SIZE and cut the central square",
    "pad": "scale the longer side to SIZE and pad with black",
}


def describe_model(card: dict[str, Any], runs: Sequence[tuple[int, int]]) -> dict[str, str]:
    """Say what input and output of a model mean and where it comes from; all values are text, lists in JSON.

    card: that of the trained variant. runs: those whose mean the model gives, as (fold, seed).
    """
    return {
        "variant": card["variant"],
        "runs": json.dumps([run_name(*run) for run in runs]),
        "classes": json.dumps(card["classes"], ensure_ascii=False),
        "input": f"{INPUT}: uint8 [batch, {card['channels']}, {card['image_size']}, {card['image_size']}], 0 to 255",
        "output": f"{OUTPUT}: float32 [{output_shape(card)}], in the order of classes, the mean over runs",
        "preprocessing": preprocessing(card["channels"], card["image_size"], card["resize"]),
        "data_sha256": card["data"]["pixels_sha256"],
        "warnings": json.dumps(card["data"]["warnings"], ensure_ascii=False),
    }


def output_shape(card: dict[str, Any]) -> str:
    """Name the dimensions of the output: probabilities of images, or of their pixels."""
    pixels = f", {card['image_size']}, {card['image_size']}" if card["task"] == "segmentation" else ""
    return f"batch, {len(card['classes'])}{pixels}"


def preprocessing(channels: int, size: int, resize: str) -> str:
    """Say in words what happens to an image file before it is the input."""
    colours = "8-bit grey" if channels == 1 else "8-bit RGB"
    return (
        f"turn the image upright by its EXIF tag; make it {colours} (grey of more bits: scaled from the image's own "
        f"minimum and maximum); {RESIZING[resize].replace('SIZE', str(size))}, bilinear with antialiasing; put the "
        "channels first. Scaling to [0, 1] and normalisation are part of the model."
    )
