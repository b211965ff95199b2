"""Augmented views of training images: Albumentations policies, and mixing on top of them."""
