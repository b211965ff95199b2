"""DVC stage `augment@policy`: the views of a policy, and a contact sheet of them."""

from __future__ import annotations

import sys

from medtransfer.augmentation.contact_sheet import write_contact_sheet
from medtransfer.augmentation.store import open_views, write_views
from medtransfer.data.prepared import Prepared
from medtransfer.study import item_of, load_study
from medtransfer.util.command import run
from medtransfer.util.places import HERE


def main(name: str) -> None:
    """Draw the views of the policy `name`."""
    study = load_study()
    policy, seed = study.policy(name), study.params.study.seed
    prepared, folder = Prepared(HERE.prepared), HERE.views(name)
    write_views(prepared, policy, seed, folder)
    views = open_views(prepared, policy, seed)
    write_contact_sheet(prepared, views, name, HERE.view_sheet(name))


if __name__ == "__main__":
    run(lambda: main(item_of(sys.argv[1])))
