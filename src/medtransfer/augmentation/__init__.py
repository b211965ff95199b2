"""Augmented views of training images: Albumentations policies, then mixing."""

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import would ask the network for a newer version
