"""Real nights: the steps and the page of `real_night.py` and `two_nights.py`."""
