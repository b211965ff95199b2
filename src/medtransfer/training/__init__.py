"""Trains every run of a variant: one trainer for all strategies."""
