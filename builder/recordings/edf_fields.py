"""EDF fields: the text and numbers of an EDF file as recorders write them, whatever the padding."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from math import isfinite

NUMBER = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?", re.ASCII)
"""EDF has a decimal point and no exponent; recorders also write a comma or an exponent."""

LONGEST_NUMBER = 40
"""Characters; no field and no onset of an annotation needs as many."""


def text(field: bytes) -> str:
    """Return the text of a field without its padding: blanks, or what follows a NUL."""
    return field.lstrip(b" \0").partition(b"\0")[0].decode("latin-1").strip()


LARGEST = 1e15
"""Largest number: exact fractions of larger ones may not fit in a float when multiplied."""


def real(spelt: str) -> float:
    """Return the value of a number.

    Raises
    ------
    ValueError
        If it is not a finite number. The message omits the text, which may be a name or a date.
    """
    if len(spelt) > LONGEST_NUMBER or not NUMBER.fullmatch(spelt):
        raise ValueError("not a number")
    value = float(spelt.replace(",", "."))
    if not isfinite(value):
        raise ValueError("not a finite number")
    if abs(value) > LARGEST:
        raise ValueError("larger than any number of a recording")
    return value


def exact(spelt: str) -> Fraction:
    """Return the exact value of a number; ValueError if it is not a finite number."""
    if not real(spelt):  # also where it rounds to 0: all digits of 1e-99999 would take long
        return Fraction(0)
    return Fraction(Decimal(spelt.replace(",", ".")))


def whole(spelt: str) -> int:
    """Return a whole number, which may be written with decimals (``-32768.0``).

    Raises
    ------
    ValueError
        If it is not a whole number.
    """
    value = exact(spelt)
    if value.denominator != 1:
        raise ValueError("not a whole number")
    return value.numerator
