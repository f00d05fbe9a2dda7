"""Corpora that psgimg does not bring: described by a YAML file, or brought by a package."""
