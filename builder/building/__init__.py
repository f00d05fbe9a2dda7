"""Building: which recordings of a build have changed, and what becomes of each."""
