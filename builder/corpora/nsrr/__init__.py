"""NSRR: the corpora of the National Sleep Research Resource, and how their scorings are read."""
