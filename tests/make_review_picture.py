"""Take the picture of a review that the README shows, with the Chromium of this machine.

On SC4001 of Sleep-EDF, whose pictures may be published, in an empty folder:

    psgimg stage SC4001E0-PSG.edf --model yasa --channel C4-M1="EEG Fpz-Cz" --lights-off 23:45 \
        --lights-on 07:00
    psgimg review SC4001E0-PSG-stages --montage sleep-edf --against SC4001EC-Hypnogram.edf --no-open
    python -P tests/make_review_picture.py ADDRESS review.png

The second command prints the address.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "support"))

from browser import chromium
from review_page import ReviewPage

SIZE = {"width": 1360, "height": 850}
KEYS = ("n", "Enter", "Enter", "2", "Enter", "d", "d", "d", "d")
"""A few epochs are reviewed, then differences are looked at."""


def take(address: str, out: Path) -> None:
    """Review a few epochs, and take a picture of one of which the two scorings differ."""
    with chromium() as browser:
        page = ReviewPage(browser, address, viewport=SIZE)
        page.press(*KEYS).saved()
        page.page.wait_for_load_state("networkidle")
        page.page.screenshot(path=out)
        page.close()


if __name__ == "__main__":
    take(sys.argv[1], Path(sys.argv[2]))
