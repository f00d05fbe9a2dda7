"""Evaluation: how well predictions agree with the scored stages, and how sure that is."""
