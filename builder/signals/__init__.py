"""Signals in µV: filtering, resampling, cutting into epochs, and corruption for robustness tests."""
