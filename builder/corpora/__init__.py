"""Corpora that psgimg reads, one module for each, and where they are stored."""
