"""Baselines: what stages the same epochs without pictures, to compare with."""
