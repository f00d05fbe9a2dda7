"""psgimg.finetune: the fine-tuning half of psgimg, which a later release brings."""
