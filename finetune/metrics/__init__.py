"""The predictions file, figures of agreement and their intervals."""
