"""Building: which recordings of a build have changed, what becomes of each, and their shards."""

WORKER_MODULES = ("psgimg.builder.building.one_recording", "psgimg.builder.render.page")
"""What a worker that draws imports."""
