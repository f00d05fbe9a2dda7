"""Fuzzing: targets, their valid seeds, mutations, and the workers that run them."""
