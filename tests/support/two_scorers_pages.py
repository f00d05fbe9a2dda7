"""A dataset of a tiny corpus with two scorers, for baselines that read its signals again."""

import json

import tiny
from builds import run


def write(place, split):
    """Write the corpus to ``root``, the people of its splits to ``split.json``, and ``pages``."""
    tiny.write_isruc(place / "root", minutes=6)
    (place / "split.json").write_text(json.dumps(split))
    run(place / "pages", place / "root", "isruc", style="paper", split_file=place / "split.json")
