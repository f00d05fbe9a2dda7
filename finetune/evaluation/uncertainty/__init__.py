"""What the probabilities of predictions are worth: calibration, ensembles, review, disagreement."""
