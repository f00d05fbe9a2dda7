"""A split of a dataset as pages, chat rows and batches."""
