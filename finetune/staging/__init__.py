"""A hypnogram of a night that belongs to no corpus. The main path is in ``stage``."""
