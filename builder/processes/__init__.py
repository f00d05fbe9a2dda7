"""Processes: how commands end, and what may run at the same time."""
