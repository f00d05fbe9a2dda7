"""From pages to stages: by likelihood, by generation, or by a server."""
