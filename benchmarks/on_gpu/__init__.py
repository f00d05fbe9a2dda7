"""Measurements on a GPU: models of published shapes, levers, and the two jobs that are timed."""
