"""Custom corpora, described by a YAML file or provided by an installed package."""
