"""The predictions file, agreement metrics and intervals over subjects."""
