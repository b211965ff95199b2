"""DVC stage `external@set`: a test set from elsewhere, packed, audited, and held against the study's images."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from medtransfer.data.external import prepare_external
from medtransfer.data.prepared import Prepared
from medtransfer.data.sources import fetch
from medtransfer.study import item_of, load_study
from medtransfer.util.command import run
from medtransfer.util.errors import UserError, near
from medtransfer.util.places import HERE, state_folder


def main(name: str) -> None:
    """Prepare the external test set `name`."""
    params = load_study().params
    if name not in params.data.external:
        raise UserError(f"data.external: no {name!r} in params.yaml{near(name, params.data.external)}")
    kind = json.loads(HERE.checked.read_text(encoding="utf-8"))["target"]
    state_folder().mkdir(exist_ok=True)
    with TemporaryDirectory(dir=state_folder()) as folder:
        raw = Path(folder, "raw")
        fetch(params.data.of_external(name), params.study.seed, raw, Path(folder, "manifest.json"))
        prepare_external(name, raw, params.data, Prepared(HERE.prepared), kind, HERE.external(name))


if __name__ == "__main__":
    run(lambda: main(item_of(sys.argv[1])))
