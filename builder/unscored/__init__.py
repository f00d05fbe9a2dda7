"""Unscored: recordings outside any corpus, as signals for stagers and as views for people."""
