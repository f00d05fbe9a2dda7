"""Predictions as other sleep stagers write them, joined with the scored epochs of a dataset or file."""
