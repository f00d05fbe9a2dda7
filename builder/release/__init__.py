"""Release of a finished folder on the Hugging Face Hub; the main path is in ``push``."""
