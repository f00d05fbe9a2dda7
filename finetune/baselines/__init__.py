"""Baselines: methods that stage the same epochs without pictures."""
