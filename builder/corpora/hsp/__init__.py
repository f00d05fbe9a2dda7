"""The Human Sleep Project: its nights, and what their channels are called."""
