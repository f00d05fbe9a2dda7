"""The commands that train, predict and evaluate: their options, and what they print."""
