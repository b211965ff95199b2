"""`data.layout: auto`: the one layout by which a set can be read, or an error that names all of them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path, PurePosixPath

from medtransfer.data.layouts.describe import as_yaml
from medtransfer.data.layouts.detect_folders import MOST_NUMBERED, class_names, folder_layouts, only_numbered
from medtransfer.data.layouts.detect_tables import same_partition, split_table_layouts, table_layouts
from medtransfer.data.layouts.files import IMAGE_SUFFIXES, files_below
from medtransfer.data.layouts.mask_files import mask_pairs
from medtransfer.data.layouts.read import read_layout
from medtransfer.study import Layout
from medtransfer.util.errors import UserError

MOST_CHOICES = 6
FOLDER_KINDS = ("class_folders", "split_folders", "class_split_folders")


def resolve_layout(root: Path, layout: Layout, masks: Collection[str] = frozenset(), labelled: bool = True) -> Layout:
    """Give an explicit layout: the same one, or, where it is `auto`, what is recognised below its root.

    `masks`, by their paths, are passed over. Where no labels are needed (`labelled` false) all images are read.
    """
    if layout.kind != "auto":
        return layout
    base = root / layout.root
    if not base.is_dir():
        raise UserError(f"data.layout.root: {layout.root} is no folder of the set")
    if not labelled:
        return layout.model_copy(update={"kind": "images"})
    found = detect_layout(base, {PurePosixPath(path).relative_to(layout.root) for path in masks})
    return found.model_copy(update={"root": str(PurePosixPath(layout.root) / found.root)})


def detect_layout(base: Path, masks: Collection[PurePosixPath] = frozenset()) -> Layout:
    """Recognise how the images below `base`, all but `masks`, are laid out.

    Only names, folders and CSVs are looked at, no pixels. Raises `UserError` where there are no images, where
    unnamed masks stand beside them, where nothing is recognised, and where several layouts fit: then it names
    them.
    """
    files = [PurePosixPath(path.relative_to(base).as_posix()) for path in files_below(base)]
    files = [file for file in files if file not in masks]
    images = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise UserError(f"{base}: expected images, but got {len(files)} files of other kinds")
    if not masks and (pairs := mask_pairs(images)):
        mask, image = pairs[0]
        raise UserError(
            f"{base}: {len(pairs)} of {len(images)} images are masks of others ({mask} of {image}): data.masks: auto "
            "packs them beside their images; to do without them, name a data.layout that leaves them out"
        )
    choices = split_table_layouts(files)
    outside = [image for image in images if not any(image.is_relative_to(layout.root) for layout in choices)]
    if outside:
        choices += _choices(base, files, outside)
    if len(choices) != 1:
        raise UserError(_refusal(base, choices, images))
    return choices[0]


def _choices(base: Path, files: list[PurePosixPath], images: list[PurePosixPath]) -> list[Layout]:
    folders = folder_layouts(images)
    named, unnamed = table_layouts(base, files, images)
    if named:
        # Beside a CSV of labels, folders that differ in a number alone are parts of an archive.
        folders = [layout for layout in folders if not only_numbered(class_names(images, layout))]
    if len(folders) == 1 and len(named) == 1 and (agreed := _agreed(base, folders[0], named[0])):
        return [agreed]
    _refuse_patients(images, folders if not unnamed else [])
    return folders + named or unnamed


def _agreed(base: Path, folders: Layout, table: Layout) -> Layout | None:
    """Give one of two layouts that label the same images alike: the one with splits, else the CSV for its columns."""
    try:
        first, second = read_layout(base, folders), read_layout(base, table)
    except UserError:
        return None
    if list(first["path"]) != list(second["path"]) or not same_partition(first["label"], second["label"]):
        return None
    return folders if first["split"].notna().any() and second["split"].isna().all() else table


def _refuse_patients(images: list[PurePosixPath], folders: list[Layout]) -> None:
    for layout in folders:
        names = class_names(images, layout)
        if len(names) > MOST_NUMBERED and only_numbered(names):
            raise UserError(
                f"data.layout: auto: {len(names)} folders differ only in a number ({names[0]} … {names[-1]}): where "
                f"they are classes and not patients, set data.layout: {as_yaml(layout)}; else give a CSV of labels"
            )


def _refusal(base: Path, choices: list[Layout], images: list[PurePosixPath]) -> str:
    if not choices:
        return (
            f"{base}: no layout is recognised in {len(images)} images, the first being {images[0]}; expected folders "
            "of classes, or a CSV whose columns name images and labels; or name an explicit data.layout"
        )
    shown = [_choice(layout, images) for layout in choices[:MOST_CHOICES]]
    more = f" or {len(choices) - MOST_CHOICES} more" if len(choices) > MOST_CHOICES else ""
    return f"data.layout: auto: the set can be read in {len(choices)} ways; name one: {' or '.join(shown)}{more}"


def _choice(layout: Layout, images: list[PurePosixPath]) -> str:
    if layout.kind not in FOLDER_KINDS[:2]:
        return as_yaml(layout)
    names = class_names(images, layout)
    return f"{as_yaml(layout)} (classes {', '.join(names[:4])}{', …' if len(names) > 4 else ''})"
