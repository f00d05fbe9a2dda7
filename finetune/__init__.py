"""From a dataset to a model that stages sleep, and what it is worth. Each main path stands at the top."""
