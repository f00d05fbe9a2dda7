"""Rendering of pages from samples: style, layout, rasteriser, PNG, and the recipe of all of it."""
