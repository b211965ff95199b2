"""What was run: the code, the versions, the machine, the data and the weights, and how long it took."""

from __future__ import annotations

import io
import json
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import pandas as pd
from ruamel.yaml import YAML

from medtransfer.comparison.cost import machines
from medtransfer.report.section import Material, Section
from medtransfer.report.wording import listed, three_digits
from medtransfer.tracking.origin import origin
from medtransfer.util.hardware import cpu_count, processor

PACKAGES = ("torch", "torchvision", "albumentations", "scikit-learn", "scipy", "numpy", "pandas", "dvc", "mlflow")
SHORT_HASH = 12


def origin_section(material: Material) -> Section:
    """Collect where the figures come from: the only section, beside the costs, that differs from run to run."""
    found = material.found
    content = {
        "facts": [
            *_code(),
            ("Versions", ", ".join(versions())),
            *_machines(found.costs),
            *_data(material),
            ("Weights", "; ".join(_weights(material))),
            ("Times", _times(found.costs["train_seconds"].sum(), found.costs["stage_seconds"].sum())),
        ],
        "params": _params(material),
    }
    return Section("origin", "What was run", content)


def versions() -> list[str]:
    """List Python and the packages that figures depend on, each with its version."""
    found = [f"medtransfer {version('medtransfer')}", f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def _code() -> list[tuple[str, str]]:
    tags = origin()
    commit = code_commit("src", "stages", "dvc.yaml", "params.yaml")
    facts = [("Written", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")), ("Git commit", commit)]
    if "dvc.experiment" in tags:
        facts.append(("DVC experiment", tags["dvc.experiment"]))
    return facts


def code_commit(*paths: str) -> str:
    """Name the git commit, and say whether `paths` differ from it: results of older runs may too, but are no code."""
    commit = origin().get("mlflow.source.git.commit", "none: not a git repository, or nothing committed yet")
    try:
        done = subprocess.run(
            ["git", "status", "--porcelain", "--", *paths], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return commit
    changed = done.returncode == 0 and done.stdout.strip()
    return f"{commit}, with changes to {', '.join(paths)} since" if changed else commit


def _machines(costs: pd.DataFrame) -> list[tuple[str, str]]:
    here = f"{processor()}, {cpu_count()} processors, {platform.system()} {platform.machine()}"
    return [("Trained on", "; ".join(machines(costs))), ("Compared on", here)]


def _data(material: Material) -> list[tuple[str, str]]:
    about, path = material.found.about, material.places.root / "data" / "manifest.json"
    facts = []
    if path.exists():
        manifest = json.loads(path.read_text(encoding="utf-8"))
        named = [manifest["source"], manifest["reference"]] + (
            [f"version {manifest['version']}"] if manifest["version"] else []
        )
        facts.append(("Data", f"{', '.join(named)}; {manifest['files']:,} files"))
        facts.append(("Licence", manifest["licence"] or "not stated"))
        facts.append(("Data SHA-256", manifest["sha256"]))
    hashes = [
        f"{name} {about[key]}" for name, key in (("pixels", "pixels_sha256"), ("table", "table_sha256")) if key in about
    ]
    return [*facts, ("Prepared SHA-256", ", ".join(hashes))]


def _weights(material: Material) -> list[str]:
    found: dict[str, str] = {}
    for name in material.names:
        card = json.loads((material.places.model(name) / "card.json").read_text(encoding="utf-8"))
        weights = card.get("weights", {})
        said = [str(weights[key]) for key in ("source", "reference") if weights.get(key)]
        if weights.get("sha256"):
            said.append(f"SHA-256 {weights['sha256'][:SHORT_HASH]}…")
        found.setdefault(material.backbone(name), f"{material.backbone(name)}: {', '.join(said) or 'none'}")
    return list(found.values())


def _times(training: float, stages: float) -> str:
    return listed([f"{three_digits(training)} s of training", f"{three_digits(stages)} s for all training stages"])


def _params(material: Material) -> str:
    yaml, stream = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output = None, False
    yaml.dump(material.found.study.params.model_dump(mode="json", exclude_unset=True), stream)
    return stream.getvalue()
