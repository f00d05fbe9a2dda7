"""A finished folder on the Hugging Face Hub. The main path is in ``push``."""
