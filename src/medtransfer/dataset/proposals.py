"""Group keys that file names suggest: copies that an export made, and patients. Proposed, never used unasked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

COPIES = "copies of files"
MARK = r" ?\(\d+\)| - copy(?: ?\(\d+\))?"
"""What a file manager adds to the name of a copy."""

PATTERNS = {
    "augmented copies": r"^(.+?)_aug_?\d+",
    "copies of a Roboflow export": r"^(.+?)\.rf\.[0-9a-f]{8,}",
    COPIES: rf"^(.+?)(?i:{MARK})?\.\w+$",
    "patients": r"(?i)((?:patient|person|subject|pat|subj|case)[-_ ]?\d+)",
    "images of a numbered series": r"^((?:[A-Z0-9]+-)?IM-\d+)",
}
LEAST_SHARE = 1 / 5


@dataclass(frozen=True)
class Proposal:
    """A pattern for `data.group`, what its groups seem to be, and how many of how many names it covers."""

    what: str
    pattern: str
    groups: int
    matched: int
    names: int

    def sentence(self) -> str:
        """Say what the names look like, and which parameter would make use of it."""
        share = "all" if self.matched == self.names else f"{self.matched} of {self.names}"
        return (
            f"{share} file names look like {self.what}, {self.groups} in number; if they are, "
            f"set data.group: {{pattern: '{self.pattern}'}}"
        )


def propose_groups(paths: Sequence[str]) -> list[Proposal]:
    """Give the patterns by which a fifth of the names or more share their key with another, in two groups or more.

    A copy of a file stands beside its original: names that are numbered throughout, `cyst (1).png` to
    `cyst (90).png`, and files of one name in several folders are no copies.
    """
    names = [path.rsplit("/", 1)[-1] for path in paths]
    proposals = []
    for what, pattern in PATTERNS.items():
        found = [(match.group(1), name) for name in names if (match := re.search(pattern, name))]
        sizes = Counter(key for key, _ in found)
        shared = {key for key, size in sizes.items() if size > 1}
        if what == COPIES:
            marked = {key for key, name in found if re.search(rf"(?i:{MARK})\.\w+$", name)}
            shared &= marked & {key for key, name in found if name.startswith(f"{key}.")}
        sharing = sum(sizes[key] for key in shared)
        if len(sizes) > 1 and sharing >= max(LEAST_SHARE * len(names), 1):
            proposals.append(Proposal(what, pattern, len(sizes), len(found), len(names)))
    return proposals
