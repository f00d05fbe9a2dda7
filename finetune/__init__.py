"""psgimg.finetune: teaches an open vision-language model to stage sleep. Comes with a later release."""
