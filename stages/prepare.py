"""DVC stage `prepare`: one table and one array of the images of the set, split and audited."""

from __future__ import annotations

import json

from medtransfer.data.prepare import prepare
from medtransfer.study import load_study
from medtransfer.util.command import run
from medtransfer.util.places import Places


def main() -> None:
    """Prepare the downloaded set as the params state."""
    study, places = load_study(), Places()
    params, target = study.params, json.loads(places.checked.read_text(encoding="utf-8"))["target"]
    prepare(places.raw, params.data, params.study.seed, places, params.study.task, target, study.prompt_problems)


if __name__ == "__main__":
    run(main)
