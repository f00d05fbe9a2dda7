"""Lanes that are absent from pages: drawn as such on purpose, recorded of a training, looked up later."""
