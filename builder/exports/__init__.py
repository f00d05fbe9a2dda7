"""A finished dataset in the layouts that other tools read."""
