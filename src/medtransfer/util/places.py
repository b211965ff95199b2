"""The paths of a study's files, of the files that come with the package, and of the cache that all studies share."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

PACKAGE = Path(__file__).resolve().parents[1]
STATE_FOLDER = ".medtransfer"
CACHE_VARIABLE = "MEDTRANSFER_CACHE"
PLAN = "plan.json"
"""The file of the state folder in which `medtransfer plan` leaves its estimates for the report."""
VERSION = "version.txt"
"""The file, next to the digests of code, with the version of medtransfer that they were made by."""


def repository() -> Path:
    """Return the root of the repository; during a DVC experiment, not the root of its temporary workspace."""
    return Path(os.environ.get("DVC_ROOT", "."))


def state_folder() -> Path:
    """Return the git-ignored folder of checkpoints, logs and unfinished downloads of a study.

    It is in the `repository`, so that the temporary workspaces of experiments share it. All its files are keyed by
    their content and may be deleted at any time.
    """
    return repository() / STATE_FOLDER


def cache_folder() -> Path:
    """Return the cache that all studies of a user share: features of frozen layers, and views.

    It is the user's cache folder, or MEDTRANSFER_CACHE; a relative path is in the `repository`. All its files are keyed
    by their content and may be deleted at any time.
    """
    return repository() / (os.environ.get(CACHE_VARIABLE) or user_cache_path("medtransfer"))


def shipped(name: str) -> Path:
    """Return a file or folder of the repository that every study needs: `dvc.yaml`, `stages`, `studies`, ….

    A wheel contains copies of them (see `pyproject.toml`); in a clone, they are those at its top.
    """
    packaged = PACKAGE / "shipped" / "repository"
    return (packaged if packaged.is_dir() else PACKAGE.parents[1]) / name


def run_name(fold: int, seed: int, fraction: float | None = None) -> str:
    """Return the name of a run in files, tables and tracking; fraction: of the training images, if it has fewer."""
    return f"fold{fold}_seed{seed}" + ("" if fraction is None else f"_fraction{fraction:g}")


class Places:
    """The files and folders of a study below `root`, as `dvc.yaml` names them."""

    def __init__(self, root: Path = Path()) -> None:
        self.root = root
        self.checked = root / "data" / "checked.json"
        self.code = root / "data" / "code"
        self.raw = root / "data" / "raw"
        self.manifest = root / "data" / "manifest.json"
        self.prepared = root / "data" / "prepared"
        self.columns = root / "data" / "columns.parquet"
        self.models = root / "models"
        self.results = root / "metrics"
        self.costs = self.results / "cost"
        self.audit = self.results / "data.json"
        self.audit_page = self.results / "data.md"
        self.plots = root / "plots"
        self.duplicates = self.plots / "duplicates.png"
        self.report = root / "report"

    def external(self, name: str) -> Path:
        """Return the folder of a prepared external test set."""
        return self.root / "data" / "external" / name

    def views(self, policy: str) -> Path:
        """Return the folder of the views of an augmentation policy."""
        return self.root / "data" / "views" / policy

    def view_sheet(self, policy: str) -> Path:
        """Return the figure of some views of a policy."""
        return self.plots / "augmentation" / f"{policy}.png"

    def weights(self, backbone: str) -> Path:
        """Return the folder of the weights of a backbone."""
        return self.root / "weights" / backbone

    def model(self, variant: str) -> Path:
        """Return the folder of a trained variant."""
        return self.models / variant

    def cost(self, variant: str) -> Path:
        """Return the cost of training a variant."""
        return self.costs / f"{variant}.json"

    def predictions(self, variant: str) -> Path:
        """Return the predictions of a variant or baseline."""
        return self.root / "predictions" / f"{variant}.parquet"

    def tta(self, variant: str) -> Path:
        """Return the predictions of a variant with test-time augmentation."""
        return self.root / "predictions" / "tta" / f"{variant}.parquet"

    def metrics(self, variant: str) -> Path:
        """Return the metrics of a variant or baseline."""
        return self.results / "variants" / f"{variant}.json"

    def figure(self, variant: str) -> Path:
        """Return the figure of a variant's evaluation."""
        return self.plots / "variants" / f"{variant}.png"

    def explained(self, variant: str) -> Path:
        """Return the measures of a variant's maps."""
        return self.results / "explain" / f"{variant}.json"

    def contact_sheet(self, variant: str) -> Path:
        """Return the figure of a variant's maps."""
        return self.plots / "explain" / f"{variant}.png"


HERE = Places()
