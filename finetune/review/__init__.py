"""Review: a page in the browser to look at a night, correct its stages and keep who changed what."""
