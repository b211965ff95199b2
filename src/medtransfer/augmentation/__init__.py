"""Augmented views of training images: Albumentations policies, and mixing on top of them."""

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # at its import it would ask the network for a newer version
