"""Experiments over a grid of factors, run as psgimg commands. The main path is in ``study``."""
