"""DVC stage `download`: the set as it was published, and its manifest."""

from __future__ import annotations

from medtransfer.data.sources import fetch
from medtransfer.study import load_study
from medtransfer.util.command import run
from medtransfer.util.places import Places


def main() -> None:
    """Fetch the set of the study."""
    params, places = load_study().params, Places()
    fetch(params.data, params.study.seed, places.raw, places.manifest)


if __name__ == "__main__":
    run(main)
