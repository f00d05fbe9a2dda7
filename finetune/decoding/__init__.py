"""Decoding: the stages of a night together, from the probabilities of its pages and how stages follow."""
