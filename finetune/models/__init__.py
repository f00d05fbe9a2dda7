"""Loading models, and what a model folder records of itself."""
