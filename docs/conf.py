"""Sphinx's configuration: `make docs` builds the site into docs/_build."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from generated_pages import write_pages  # noqa: E402

write_pages(HERE / "generated")

project, author, copyright = "medtransfer", "the medtransfer authors", "the medtransfer authors"
version = release = version_of("medtransfer")
extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "generated"]
html_theme = "furo"
html_title = "medtransfer"
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
