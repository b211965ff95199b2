"""The process that talks to MLflow: one line of JSON a call on standard input, until it is closed.

When its parent is killed outright, standard input ends without a `close`, and the runs are closed as killed.
"""

from __future__ import annotations

import json
import signal
import sys

from medtransfer.tracking.tracker import warn
from medtransfer.tracking.variant_log import VariantLog


def main(study: str, variant: str) -> None:
    """Carry out the calls in order; the first that fails ends the process with one warning."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent says what follows
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    log = VariantLog(study, variant)
    try:
        closed = False
        for line in sys.stdin:
            event = json.loads(line)
            closed = event["call"] == "close"
            getattr(log, event["call"])(**event["arguments"])
        if not closed:
            log.close("KILLED")
    except Exception as error:  # noqa: BLE001 - whatever a server does, training goes on
        warn(variant, f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
