"""Experiments over a grid of factors, run by the other commands. The main path is in ``study``."""
