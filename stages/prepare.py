"""DVC stage `prepare`: one table and one array of the images of the set, split and audited."""

from __future__ import annotations

from medtransfer.data.prepare import prepare
from medtransfer.study import load_study
from medtransfer.util.command import run
from medtransfer.util.places import Places


def main() -> None:
    """Prepare the downloaded set as the params state."""
    params, places = load_study().params, Places()
    prepare(places.raw, params.data, params.study.seed, places, params.study.task)


if __name__ == "__main__":
    run(main)
