"""Fine-tuning with TRL: arguments, trainer, checkpoints, report and model card."""
