"""DVC stage `augment@policy`: the views of a policy, and a contact sheet of them."""

from __future__ import annotations

import sys
from pathlib import Path

from medtransfer.augmentation.contact_sheet import write_contact_sheet
from medtransfer.augmentation.store import open_views, write_views
from medtransfer.data.prepared import Prepared
from medtransfer.study import load_study
from medtransfer.util.command import run


def main(name: str) -> None:
    """Draw the views of the policy `name`."""
    params = load_study().params
    policy, seed = params.augmentation[name], params.study.seed
    prepared, folder = Prepared(Path("data/prepared")), Path("data/views") / name
    write_views(prepared, policy, seed, folder)
    views = open_views(prepared, folder, policy, seed)
    write_contact_sheet(prepared, views, name, Path(f"plots/augmentation/{name}.png"))


if __name__ == "__main__":
    run(lambda: main(sys.argv[1]))
