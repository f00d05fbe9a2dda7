"""Formats of recordings other than EDF."""
