"""EEG-BIDS: datasets of sleep in the layout of BIDS, and BOAS, which is one of them."""
