"""The dataset: its schema, splits, shards and settings, and `build.json`, which records them all."""
