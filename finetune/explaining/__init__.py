"""Explaining: which part of a page a model's answer hangs on, and whether that can be believed."""
