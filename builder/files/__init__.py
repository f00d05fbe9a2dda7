"""Files: reading within bounds, safe names and paths, and ownership of output."""
