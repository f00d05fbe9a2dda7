"""psgimg.cards: the templates of the dataset and model cards."""
