"""Terminal text: characters that a terminal's encoding lacks are replaced, whatever writes them."""

from __future__ import annotations

import codecs
import io
import os
import sys

from psgimg.builder.files.quoting import visible

ERRORS = "psgimg.replace"
"""Name of the error handler of standard output and error."""

ASCII = "psgimg-ascii"
"""ASCII under another name: click would write UTF-8 to a stream whose encoding is named ASCII."""

REPLACED = {
    "…": "...",
    "·": "-",
    "–": "-",
    "—": "-",
    "−": "-",
    "→": "->",
    "×": "x",
    "±": "+/-",
    "≤": "<=",
    "≥": ">=",
    "µ": "u",
    "μ": "u",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "\u00a0": " ",
    "\u202f": " ",
    "━": "-",
    "╸": "-",
    "╺": "-",
}
"""ASCII for the characters that psgimg itself writes; others are written as escapes."""


def replace_unencodable() -> None:
    """Let standard output and error replace what they can't encode, instead of failing."""
    codecs.register_error(ERRORS, _replace)
    codecs.register(_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            ascii_only = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=ASCII if ascii_only else stream.encoding, errors=ERRORS)


def drop_output() -> None:
    """Discard what is left to write to standard output, which is full: Python would fail at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Return the replacement for characters that can't be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    refused = error.object[error.start : error.end]
    return "".join(REPLACED.get(char) or _escape(char) for char in refused), error.end


def _escape(char: str) -> str:
    return (
        char.encode("ascii", "backslashreplace").decode("ascii")
        if char.isprintable()
        else visible(char)
    )


def _ascii(name: str) -> codecs.CodecInfo | None:
    """Return the codec called ``ASCII``."""
    if name.replace("_", "-") != ASCII:
        return None
    ascii_codec = codecs.lookup("ascii")
    return codecs.CodecInfo(
        ascii_codec.encode,
        ascii_codec.decode,
        streamreader=ascii_codec.streamreader,
        streamwriter=ascii_codec.streamwriter,
        incrementalencoder=ascii_codec.incrementalencoder,
        incrementaldecoder=ascii_codec.incrementaldecoder,
        name=ASCII,
    )
