"""Building: which recordings of a build have changed, what becomes of each, and their shards."""
