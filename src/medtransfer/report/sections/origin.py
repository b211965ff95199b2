"""Provenance: code, versions, machines, data, weights, times and parameters."""

from __future__ import annotations

import io
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ruamel.yaml import YAML

from medtransfer.comparison.cost import machines
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.wording import three_digits
from medtransfer.tracking.origin import origin
from medtransfer.util.files import read_json
from medtransfer.util.hardware import cpu_count, processor
from medtransfer.util.text import listed

PACKAGES = ("torch", "torchvision", "albumentations", "scikit-learn", "scipy", "numpy", "pandas", "dvc", "mlflow")
SHORT_HASH = 12


def content(material: Material) -> dict[str, Any]:
    """Collect the provenance of the results; besides the costs, the only content that differs between two runs."""
    costs = material.found.costs
    training, stages = (f"{three_digits(costs[name].sum())} s" for name in ("train_seconds", "stage_seconds"))
    machine = f"{processor()}, {cpu_count()} CPUs, {platform.system()} {platform.machine()}"
    facts = {
        "Generated": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Git commit": code_commit("src", "stages", "dvc.yaml", "params.yaml"),
        "DVC experiment": origin().get("dvc.experiment", ""),
        "Versions": ", ".join(versions()),
        "Trained on": "; ".join(machines(costs)),
        "Compared on": machine,
        **data_facts(material),
        "Weights": "; ".join(_weights(material)),
        "Time": f"{training} of training; {stages} for all training stages",
    }
    return {"facts": {name: value for name, value in facts.items() if value}, "params": _params(material)}


def versions() -> list[str]:
    """Return the versions of medtransfer, Python and the packages that the results depend on."""
    found = [f"medtransfer {version('medtransfer')}", f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def code_commit(*paths: str) -> str:
    """Return the git commit, and whether `paths` have uncommitted changes; results may have, but are not code."""
    commit = origin().get("mlflow.source.git.commit", "none: not a git repository, or nothing committed yet")
    try:
        command = ["git", "status", "--porcelain", "--", *paths]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return commit
    files = [line[3:].strip('"') for line in done.stdout.splitlines()] if done.returncode == 0 else []
    changed = [path for path in paths if any(file == path or file.startswith(f"{path}/") for file in files)]
    return f"{commit}, with uncommitted changes in {listed(changed or paths)}" if files else commit


def data_facts(material: Material) -> dict[str, str]:
    """Describe the data by the manifest and the prepared set: source, version, licence, hashes."""
    about, path, facts = material.found.about, material.places.manifest, {}
    if path.exists():
        manifest = read_json(path)
        named = [manifest["source"], manifest["reference"]]
        named += [f"version {manifest['version']}"] if manifest["version"] else []
        facts = {
            "Data": f"{', '.join(named)}; {manifest['files']:,} files",
            "Licence": manifest["licence"] or "not stated",
            "Data SHA-256": manifest["sha256"],
        }
    hashes = [f"{name} {about[f'{name}_sha256']}" for name in ("pixels", "table") if f"{name}_sha256" in about]
    return facts | {"Prepared SHA-256": ", ".join(hashes)}


def _weights(material: Material) -> list[str]:
    found: dict[str, str] = {}
    for name in material.names:
        weights = read_json(material.places.model(name) / "card.json").get("weights", {})
        named = [str(weights[key]) for key in ("source", "reference") if weights.get(key)]
        if weights.get("sha256"):
            named.append(f"SHA-256 {weights['sha256'][:SHORT_HASH]}…")
        found.setdefault(material.backbone(name), f"{material.backbone(name)}: {', '.join(named) or 'none'}")
    return list(found.values())


def _params(material: Material) -> str:
    yaml, stream = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output = None, False
    yaml.dump(material.found.study.params.model_dump(mode="json", exclude_unset=True), stream)
    return stream.getvalue()


SECTIONS.register("origin", Section(150, "Provenance", content))
