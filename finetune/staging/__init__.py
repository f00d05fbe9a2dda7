"""Staging: a hypnogram for a night that belongs to no corpus."""
