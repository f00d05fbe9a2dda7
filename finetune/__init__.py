"""Fine-tuning, inference and evaluation of models on a dataset. Each command has its main module here or in its folder."""
