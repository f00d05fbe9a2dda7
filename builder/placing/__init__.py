"""Placing: who goes into which split and fold, and the published splits that psgimg brings."""
