"""References: what to cite for a corpus, as data, in words and in BibTeX."""
