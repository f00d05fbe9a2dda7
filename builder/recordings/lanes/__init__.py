"""Lanes: the derivations that the channels of a file yield, and which of them each lane shows."""
