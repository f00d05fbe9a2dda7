"""The corpora that psgimg reads, a module for each, and where they lie on this machine."""
