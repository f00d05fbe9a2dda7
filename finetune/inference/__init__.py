"""From pages to stages: by answer likelihood, by generation, or through a server."""
