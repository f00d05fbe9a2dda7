"""Export of a finished dataset to the formats of other tools."""
