"""Files of pretrained weights: of the user, in a mirror or a cache, or downloaded; checked against their hash."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from textwrap import shorten
from urllib.error import URLError

import torch

from medtransfer.models.families import ClassifierFamily, Release, Statistics, is_path
from medtransfer.models.weights_card import WeightsCard
from medtransfer.study import Backbone
from medtransfer.util.errors import UserError
from medtransfer.util.files import read_json, sha256_of_file
from medtransfer.util.progress import progress

MIRROR_VARIABLE = "MEDTRANSFER_WEIGHTS"


def find_weights(name: str, spec: Backbone, family: ClassifierFamily, mirror: str | None) -> tuple[Path, WeightsCard]:
    """Find the file of a backbone's weights, or download it; return it with its card.

    Raises `UserError` that names the file and how to provide it if it is missing, damaged or cannot be downloaded.
    """
    model = spec.model or name
    if not is_path(spec.weights):
        return _published(name, model, spec.weights, family, mirror)
    given = Path(spec.weights)
    path = given
    if given.is_dir():
        files = [given / file for file in family.hub_files]
        path = next((file for file in files if file.is_file()), files[0])
    if not path.is_file():
        raise UserError(f"backbones.{name}.weights: {path} does not exist; expected the path of a state dict")
    usual = family.input_statistics(model)
    mean, std = _statistics(name, model, family, given, usual) if given.is_dir() else usual
    sha256 = sha256_of_file(path)
    return path, WeightsCard(model=model, source="file", reference=given.name, sha256=sha256, mean=mean, std=std)


def _statistics(
    name: str, model: str, family: ClassifierFamily, folder: Path, usual: tuple[Statistics, Statistics]
) -> tuple[Statistics, Statistics]:
    """Read mean and standard deviation from the configuration next to weights; return the usual ones if it has none."""
    config = folder / family.hub_config
    if not config.is_file():
        return usual
    about = read_json(config)
    if problem := family.config_problem(model, about):
        raise UserError(f"backbones.{name}.weights: {config}: {problem}")
    about = about.get("pretrained_cfg") or about.get("preprocess_cfg") or about
    mean, std = (tuple(about.get(key, default)) for key, default in zip(("mean", "std"), usual, strict=True))
    return mean, std


def _published(
    name: str, model: str, weights: str, family: ClassifierFamily, mirror: str | None
) -> tuple[Path, WeightsCard]:
    """Find published weights in a mirror folder or a cache, or download them there; check their hash every time."""
    release = family.release(model, weights)
    folders = [Path(folder) for folder in (mirror, os.environ.get(MIRROR_VARIABLE)) if folder]
    path = next((path for folder in folders if (path := folder / release.file_name).is_file()), None)
    statistics = release.mean, release.std
    sha256 = release.sha256
    if path is None and release.hub:
        path = _obtained(name, release, partial(_from_hub, family))
        sha256 = path.resolve().name if len(path.resolve().name) == 64 else ""  # the hub's cache names files by hash
        statistics = _statistics(name, model, family, path.parent, statistics)
    elif path is None:
        path = _obtained(name, release, _from_url)
    found = sha256_of_file(path)
    if not found.startswith(sha256):
        raise UserError(
            f"{path}: expected SHA-256 {sha256[:8]}… but got {found[:8]}…; the file is damaged: delete it and "
            "fetch it again"
        )
    mean, std = statistics
    source, reference = release.source, release.reference
    return path, WeightsCard(model=model, source=source, reference=reference, sha256=found, mean=mean, std=std)


def _obtained(name: str, release: Release, obtain: Callable[[Release], Path]) -> Path:
    try:
        return obtain(release)
    except (URLError, OSError, RuntimeError, ValueError) as error:
        reason = shorten(str(getattr(error, "reason", error)), 60, placeholder=" …") or type(error).__name__
        where = f" of {release.hub}" if release.hub else ""
        raise UserError(
            f"backbones.{name}.weights: cannot download {release.file_name}{where} ({reason}); "
            f"put it into the folder that {MIRROR_VARIABLE} or weights_mirror names, or set weights to a path"
        ) from None


def _from_url(release: Release) -> Path:
    """Return the file in torch's cache, downloaded if it is not there; an installed file is returned as it is."""
    if (installed := Path(release.url)).is_file():
        return installed
    path = Path(torch.hub.get_dir()) / "checkpoints" / release.file_name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with progress(total=1, desc=path.name, unit="file") as bar:
            torch.hub.download_url_to_file(release.url, str(path), release.sha256, progress=not bar.disable)
    return path


def _from_hub(family: ClassifierFamily, release: Release) -> Path:
    """Return the file in the cache of the hub, downloaded if it is not there, with its configuration next to it."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # it logs each retry as a warning, before the error that says the same
    hf_hub_download(release.hub, family.hub_config)
    for file in family.hub_files[:-1]:
        try:
            return Path(hf_hub_download(release.hub, file))
        except EntryNotFoundError:
            continue
    return Path(hf_hub_download(release.hub, family.hub_files[-1]))
