"""Synthetic nights: signals computed from stages, for the demo corpora."""
