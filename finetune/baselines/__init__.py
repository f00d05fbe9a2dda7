"""Baselines: methods that stage the same epochs from signals instead of pictures."""
