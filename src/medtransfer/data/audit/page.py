"""The audit as a page for people: the contents of `metrics/data.json` in tables and a few sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from medtransfer.data.audit.leakage import Crossing
from medtransfer.data.audit.shortcuts import ALL, MEASURES, BalancedAccuracy
from medtransfer.util.places import HERE
from medtransfer.util.text import code, in_figures, markdown_table, visible, without_html

MOST_LISTED = 10
MOST_CORRECTED = 50
EMPTIED_NOTE = (
    "`data.labels.drop` leaves out all findings of these images. They are kept, as images without any of the other "
    "findings; to leave them out instead, name them in `data.files.exclude`."
)
ORDER = ("train", "val", "test", "rotating")
TARGETS = {"class": "the class", "test": "test images from the others"}


def audit_page(audit: dict[str, Any]) -> str:
    """Write the page of an audit, the value of `audit.audit_of` and the layout, as Markdown."""
    parts = ["# The data", *(f"> **Warning.** {warning}" for warning in audit["warnings"])]
    parts += [_facts(audit), "## As read", *_as_read(audit)]
    if "corrections" in audit:
        parts += ["## Labels corrected", *_corrected(audit["corrections"])]
    if audit["dropped"]:
        parts += ["## Images excluded", *_dropped(audit["dropped"])]
    if "emptied" in audit:
        parts += ["## Images that count as without a finding", EMPTIED_NOTE, *_dropped(audit["emptied"])]
    parts += ["## Classes and splits", *_classes(audit), "## Duplicates", *_duplicates(audit)]
    parts += ["## Appearance", *_appearance(audit), "## Shortcuts", *_shortcuts(audit)]
    if audit["masks"]:
        parts += ["## Masks", *_masks(audit["masks"])]
    if "known" in audit:
        parts += ["## What is known of this set", *_known(audit["known"])]
    return without_html("\n\n".join(parts) + "\n")


def appearance_cells(found: dict[str, Any]) -> list[str]:
    """Return modes and file types, with counts if there are several, and the ranges of width, height and brightness."""
    kinds = [
        ", ".join(f"{name} {count:,}" if len(counts) > 1 else name for name, count in counts.items())
        for counts in (found["modes"], found["file_types"])
    ]
    ranges = (found[name] for name in ("width", "height", "brightness"))
    return kinds + [f"{middle:g}" if low == high else f"{middle:g} ({low:g}–{high:g})" for low, middle, high in ranges]


def _facts(audit: dict[str, Any]) -> str:
    rows = [
        ["Layout", audit["layout"]],
        ["Images", f"{audit['images']:,}"],
        ["Images excluded", f"{audit['left_out']:,}"],
        ["Group keys", f"{audit['group_keys']:,}"],
        ["Group keys with images of several classes", f"{audit['group_keys_across_classes']:,}"],
        ["Groups, with duplicates joined", f"{audit['groups']:,}"],
        ["Folds", str(audit["folds"])],
        ["Channels", str(audit["channels"])],
        ["Image sizes", f"{audit['image_sizes']:,}"],
    ]
    return markdown_table(["Property", "Value"], rows)


def _dropped(dropped: dict[str, Any]) -> Iterator[str]:
    yield markdown_table(
        ["Images", "excluded"], [[reason, f"{found['images']:,}"] for reason, found in dropped.items()]
    )
    for reason, found in dropped.items():
        yield from _listed(reason.capitalize(), [[path] for path in found["paths"]], found["images"])


def _corrected(found: dict[str, Any]) -> Iterator[str]:
    yield f"`{found['file']}`: {found['reviewed']:,} labels were reviewed, {found['changed']:,} of them changed."
    rows = [list(map(str, row)) for row in found["labels"]]
    if rows:
        yield markdown_table(["Image", "Label", "Corrected"], rows[:MOST_CORRECTED], left=3)
    if len(rows) > MOST_CORRECTED:
        yield f"The first {MOST_CORRECTED} of {len(rows):,}; all are in `metrics/data.json`."


def _as_read(audit: dict[str, Any]) -> Iterator[str]:
    yield "\n".join(["```", *(visible(line).replace("```", "′′′") for line in audit["description"]), "```"])
    header = list(audit["sample"][0])
    yield markdown_table(header, [list(row.values()) for row in audit["sample"]], left=len(header))


def _classes(audit: dict[str, Any]) -> Iterator[str]:
    by_split = audit["class_counts_by_split"]
    splits = [split for split in ORDER if split in by_split]
    rows = [
        [str(label), *(f"{by_split[split].get(label, 0):,}" for split in splits), f"{count:,}"]
        for label, count in audit["class_counts"].items()
    ]
    yield markdown_table(["Class", *splits, "all"], rows)
    if audit["folds"] > 1:
        yield f"Validation images, and test images if they are `rotating`, change over {audit['folds']} folds."
    for split, missing in audit["classes_missing"].items():
        yield f"**No images in {split}**: {', '.join(missing)}."


def _duplicates(audit: dict[str, Any]) -> Iterator[str]:
    exact, near, crossing = audit["exact_duplicates"], audit["near_duplicates"], audit["crossing"]
    rows = [
        ["Exact duplicates, sets", exact["sets"], exact["sets_across_splits"], exact["contradictory_sets"]],
        ["Near duplicates, pairs", near["pairs"], near["pairs_across_splits"], near["contradictory_pairs"]],
    ]
    header = ["Copies of one image", "total", "across published splits", "with different labels"]
    yield markdown_table(header, [[name, *(f"{count:,}" for count in counts)] for name, *counts in rows])
    yield (
        f"Redundant files (exact duplicates): {exact['files_too_many']:,}. Mirrored pairs of near duplicates: "
        f"{near['mirrored_pairs']:,}. `{HERE.duplicates}` shows examples of both."
    )
    if crossing and crossing["groups"]:
        yield f"As published, {Crossing(**crossing).sentence()}."
    yield from _listed("Exact duplicates with different labels", exact["contradictory"], exact["contradictory_sets"])
    if near["contradictory_classes"]:
        counts = ", ".join(f"{names} ({count:,})" for names, count in near["contradictory_classes"].items())
        yield f"The labels that differ in pairs of near duplicates: {counts}."
    yield from _listed("Near duplicates with different labels", near["contradictory"], near["contradictory_pairs"])
    yield from _listed("Near duplicates across splits", near["across_splits"], near["pairs_across_splits"])


def _listed(title: str, found: list[list[str]], count: int) -> Iterator[str]:
    if found:
        yield f"{title}{f', {MOST_LISTED} of {count:,}' if count > MOST_LISTED else ''}:"
        yield "\n".join(f"- {', '.join(map(code, paths))}" for paths in found[:MOST_LISTED])


def _appearance(audit: dict[str, Any]) -> Iterator[str]:
    header = ["Modes", "File types", "Width", "Height", "Brightness", "Images"]
    for column, found in audit["appearance"].items():
        values = [name for name in ORDER if name in found] if column == "split" else list(found)
        rows = [[value, *appearance_cells(found[value]), f"{found[value]['images']:,}"] for value in values]
        yield markdown_table([column.capitalize(), *header], rows, left=3)
    yield "Width and height in pixels, brightness as the mean grey value from 0 to 255: median (minimum to maximum)."


def _shortcuts(audit: dict[str, Any]) -> Iterator[str]:
    if not audit["shortcuts"]:
        yield "Size, mode, file type and brightness are the same in all images, or there are too few groups to compare."
        return
    measures = [ALL, *MEASURES]
    rows = []
    for target, found in audit["shortcuts"].items():
        shown = {name: str(BalancedAccuracy(**score)) for name, score in found["scores"].items()}
        scores = [shown.get(name, "–") for name in measures]
        rows.append([TARGETS[target], *scores, in_figures(found["chance"]), f"{found['groups']:,}"])
    yield markdown_table(["Predicted from appearance alone", *measures, "chance", "groups"], rows)
    yield (
        "Balanced accuracy, with its 95 % interval, of a small decision tree that sees nothing else, cross-validated "
        "on one image of each group. If the interval is above chance, a model can perform well "
        "without looking at the content of the images. –: the same in all images."
    )


def _masks(masks: dict[str, Any]) -> Iterator[str]:
    rows = [
        [str(name), f"{found['images']:,}", f"{100 * found['mean_share']:.2f} %"]
        for name, found in masks["classes"].items()
    ]
    yield markdown_table(["Class", "images", "mean share of their pixels"], rows)
    ignored = f" {100 * masks['ignored']:.2f} % of all pixels are ignored." if masks["ignored"] else ""
    yield f"{masks['empty']:,} masks are empty.{ignored}"


def _known(known: dict[str, Any]) -> Iterator[str]:
    version = "" if known["version"] is None else f", version {known['version']}"
    rows = [
        ["Set", f"{known['title']} (`{known['reference']}`{version}), {known['page']}"],
        ["Licence", known["licence"] or "not known"],
        ["Citation", known["citation"] or "not known"],
    ]
    yield markdown_table(["Property", "Value"], rows, left=2)
    if known["images"] and known["read"] < known["images"]:
        yield f"{known['read']:,} of its {known['images']:,} images were read."
    if known["unchecked"]:
        yield f"From the catalogue, but without a source that confirms it: {', '.join(known['unchecked'])}."
    if known["flaws"]:
        yield "Known to be wrong with it:"
        yield "\n".join(f"- {flaw['says']} ({flaw['source']})" for flaw in known["flaws"])
