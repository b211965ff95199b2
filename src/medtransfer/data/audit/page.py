"""The audit as a page to be read: what `metrics/data.json` holds, in tables and a few sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from medtransfer.data.audit.leakage import Crossing
from medtransfer.data.audit.shortcuts import ALL, MEASURES
from medtransfer.util.text import in_figures, markdown_table

MOST_LISTED = 10
ORDER = ("train", "val", "test", "rotating")
TARGETS = {"class": "the class", "test": "test images from the others"}


def audit_page(audit: dict[str, Any]) -> str:
    """Write the page of an audit, the value of `audit.audit_of` and the layout, as Markdown."""
    parts = ["# What is in the data", *(f"> **Warning.** {warning}" for warning in audit["warnings"])]
    parts += [_facts(audit), "## Classes and splits", *_classes(audit)]
    parts += ["## Duplicates", *_duplicates(audit), "## Looks", *_looks(audit), "## Shortcuts", *_shortcuts(audit)]
    if audit["masks"]:
        parts += ["## Masks", *_masks(audit["masks"])]
    return "\n\n".join(parts) + "\n"


def _facts(audit: dict[str, Any]) -> str:
    rows = [
        ["Layout", audit["layout"]],
        ["Images", f"{audit['images']:,}"],
        ["Images left out", f"{audit['left_out']:,}"],
        ["Group keys", f"{audit['group_keys']:,}"],
        ["Groups, once duplicates are joined", f"{audit['groups']:,}"],
        ["Folds", str(audit["folds"])],
        ["Channels", str(audit["channels"])],
        ["Image sizes", f"{audit['image_sizes']:,}"],
    ]
    return markdown_table(["What", "Found"], rows)


def _classes(audit: dict[str, Any]) -> Iterator[str]:
    by_split = audit["class_counts_by_split"]
    splits = [split for split in ORDER if split in by_split]
    rows = [
        [str(label), *(f"{by_split[split].get(label, 0):,}" for split in splits), f"{count:,}"]
        for label, count in audit["class_counts"].items()
    ]
    yield markdown_table(["Class", *splits, "all"], rows)
    if audit["folds"] > 1:
        yield f"Validation images, and test images where they are `rotating`, change in {audit['folds']} folds."
    for split, missing in audit["classes_missing"].items():
        yield f"**No image in {split}**: {', '.join(missing)}."


def _duplicates(audit: dict[str, Any]) -> Iterator[str]:
    exact, near, crossing = audit["exact_duplicates"], audit["near_duplicates"], audit["crossing"]
    rows = [
        ["Exact duplicates, sets", exact["sets"], exact["sets_across_splits"], exact["contradictory_sets"]],
        ["Near duplicates, pairs", near["pairs"], near["pairs_across_splits"], near["contradictory_pairs"]],
    ]
    header = ["Images that are one", "in all", "across published splits", "with differing labels"]
    yield markdown_table(header, [[name, *(f"{count:,}" for count in counts)] for name, *counts in rows])
    yield (
        f"Exact duplicates are {exact['files_too_many']:,} files too many; {near['mirrored_pairs']:,} of the pairs are "
        "mirrored. Some of both stand side by side in `plots/duplicates.png`."
    )
    if crossing and crossing["groups"]:
        yield f"As published, {Crossing(**crossing).sentence()}."
    yield from _listed("Exact duplicates with differing labels", exact["contradictory"], exact["contradictory_sets"])
    if near["contradictory_classes"]:
        counts = ", ".join(f"{names} ({count:,})" for names, count in near["contradictory_classes"].items())
        yield f"The labels that differ in pairs of near duplicates: {counts}."
    yield from _listed("Near duplicates with differing labels", near["contradictory"], near["contradictory_pairs"])
    yield from _listed("Near duplicates across splits", near["across_splits"], near["pairs_across_splits"])


def _listed(title: str, found: list[list[str]], count: int) -> Iterator[str]:
    if found:
        shown = found[:MOST_LISTED]
        yield f"{title}{f', {MOST_LISTED} of {count:,}' if count > MOST_LISTED else ''}:"
        yield "\n".join(f"- {', '.join(f'`{path}`' for path in paths)}" for paths in shown)


def _looks(audit: dict[str, Any]) -> Iterator[str]:
    header = ["Modes", "File types", "Images", "Width", "Height", "Brightness"]
    for column, found in audit["appearance"].items():
        values = [name for name in ORDER if name in found] if column == "split" else list(found)
        rows = [
            [value, *_counts(found[value]), f"{found[value]['images']:,}", *_ranges(found[value])] for value in values
        ]
        yield markdown_table([column.capitalize(), *header], rows, left=3)
    yield "Width and height in pixels, brightness as the mean grey value from 0 to 255: median (least to greatest)."


def _ranges(looks: dict[str, Any]) -> Iterator[str]:
    for least, median, greatest in (looks[name] for name in ("width", "height", "brightness")):
        yield f"{median:g}" if least == greatest else f"{median:g} ({least:g}–{greatest:g})"


def _counts(looks: dict[str, Any]) -> Iterator[str]:
    for counts in (looks["modes"], looks["file_types"]):
        yield ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _shortcuts(audit: dict[str, Any]) -> Iterator[str]:
    if not audit["shortcuts"]:
        yield "Size, mode, file type and brightness are alike in all images, or there are too few groups to ask."
        return
    measures = [ALL, *MEASURES]
    rows = [
        [
            TARGETS[target],
            *(_score(found["scores"].get(name)) for name in measures),
            in_figures(found["chance"]),
            f"{found['groups']:,}",
        ]
        for target, found in audit["shortcuts"].items()
    ]
    yield markdown_table(["Told from looks alone", *measures, "guessing", "groups"], rows)
    yield (
        "Balanced accuracy, with its 95 % interval, of a small tree that sees nothing else, cross-validated on one "
        "image of each group. Where the interval lies above guessing, a model can score without seeing what the images "
        "show. –: alike in all images."
    )


def _score(score: dict[str, float] | None) -> str:
    if score is None:
        return "–"
    return f"{in_figures(score['balanced_accuracy'])} [{in_figures(score['low'])}, {in_figures(score['high'])}]"


def _masks(masks: dict[str, Any]) -> Iterator[str]:
    rows = [
        [str(name), f"{found['images']:,}", f"{100 * found['mean_share']:.2f} %"]
        for name, found in masks["classes"].items()
    ]
    yield markdown_table(["Marked", "on images", "mean share of those"], rows)
    yield f"{masks['empty']:,} masks are empty."
