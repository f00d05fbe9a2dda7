"""Measurements on a GPU: models of published shapes, and the jobs that are timed on them."""
