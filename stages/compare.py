"""DVC stage `compare`: all variants of the study side by side, and the page that shows it."""

from __future__ import annotations

from medtransfer.comparison.compare import compare
from medtransfer.report.page import write_report
from medtransfer.study import load_study
from medtransfer.tracking.tracker import Tracker, wait_for_follower
from medtransfer.tracking.variant_log import intervals_of
from medtransfer.util.command import run
from medtransfer.util.places import Places

TRACKING_SECONDS = 60.0


def main() -> None:
    """Compare the variants of the params; the last stage of a run, so wait until MLflow has received everything."""
    study, places = load_study(), Places()
    comparison = compare(study, places)
    write_report(comparison, places)
    for name in study.variants:
        with Tracker(study.params.study.name, name) as tracker:
            tracker.intervals(places.model(name), intervals_of(comparison.table, name))
    wait_for_follower(TRACKING_SECONDS)


if __name__ == "__main__":
    run(main)
