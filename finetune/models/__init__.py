"""Loading of models, and the manifest of a fine-tuned model."""
