"""The predictions file, agreement metrics and their bootstrap intervals."""
