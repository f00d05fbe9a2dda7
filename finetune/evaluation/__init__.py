"""Agreement of predictions with scored stages, with confidence intervals over subjects."""
