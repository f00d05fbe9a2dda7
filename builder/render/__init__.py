"""A page from samples: style, layout, rasteriser, PNG, and the recipe that fixes all of it."""
