"""Agreement of predictions with the scored stages, with intervals over subjects."""
