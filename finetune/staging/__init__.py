"""Hypnograms for unscored recordings outside any corpus. The main path is in ``stage``."""
