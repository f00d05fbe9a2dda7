"""The documentation of a dataset: its card, metadata, Croissant description and contact sheet."""
