"""Space: a page on the Hub that stages a night with a model."""
