"""Mutate: make a damaged or odd input from a valid one, by its bytes, its text or its structure.

Every mutation is a function of a random generator and the input, so that a seed and a number
determine an input.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

Mutation = Callable[[Random, bytes], bytes]

NUMBERS = (
    *("nan", "inf", "-inf", "-1", "-0", "0", "0.0", "1e8", "1e308", "1e400", "-1e300", "1e-300"),
    *("99999999", "2147483648", "9223372036854775808", "-32768.0", "1,5", "-250,0", "+30", "30."),
    *("0x1F", "1_000", "0010", "1:30", "١٢", "½", "1e", "--5", "1" * 400, "true", "null", " "),
)
TEXTS = (
    *("", " ", "\0", "\t", "\n", "\r\n", "\x1b[31m", "\x14", "\x15", "\ufeff", "\u202e", "\u2028"),
    *(
        "é",
        "Lumière",
        "睡",
        "😴",
        "\ud800",
        "W",
        "N1",
        "REM",
        "?",
        "Sleep stage W",
        "Sleep stage X",
    ),
    *("[/x]", "[bold]", "{{7*7}}", "{subject}", "**", "../../etc/x", "/abs", "a" * 300, "null"),
    *(
        "*a",
        "&a",
        "<<",
        "!!binary",
        "- ",
        ": ",
        "<!DOCTYPE x>",
        "&amp;",
        "<x>",
        "]]>",
        '"',
        "'",
        ",",
    ),
)
BYTES = (b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\x80", b"\xc3", b"\r", b"\x1a", b"\0" * 64)
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
WORD = re.compile(rb"[A-Za-z_][\w|-]*")

EDF_MAIN = (0, 8, 88, 168, 176, 184, 192, 236, 244, 252, 256)
"""Offsets at which the fields of an EDF header begin, and its end."""
EDF_SIGNAL = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
"""Widths of the fields of each signal."""


def mutated(rng: Random, kind: str, seed: bytes) -> bytes:
    """Return an input of a kind, one to three mutations away from a valid one."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        mutation = rng.choice(KINDS[kind])
        try:
            seed = mutation(rng, seed)
        except Exception:  # the structure was lost by an earlier mutation
            seed = bits(rng, seed)
    return seed


def bits(rng: Random, data: bytes) -> bytes:
    """Change bytes, or remove, repeat, cut or insert a few."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at, length = rng.randrange(len(changed) + 1), rng.choice((1, 1, 4, 32, 256))
        match rng.randrange(6):
            case 0 if changed:
                changed[at % len(changed)] ^= 1 << rng.randrange(8)
            case 1 if changed:
                changed[at % len(changed)] = rng.randrange(256)
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = changed[at : at + length] * rng.choice((1, 1, 2, 50))
            case 4:
                changed[at:at] = rng.choice(BYTES)
            case _:
                del changed[at if rng.random() < 0.2 else len(changed) - length :]
    return bytes(changed)


def words(rng: Random, data: bytes) -> bytes:
    """Replace a number or a word by an odd one, or by another of the same input."""
    matches = list(rng.choice((NUMBER, NUMBER, WORD)).finditer(data))
    start, stop = rng.choice(matches).span()
    if rng.random() < 0.3:
        new = rng.choice(matches)[0]
    else:
        new = _bytes(rng.choice(NUMBERS if rng.random() < 0.6 else TEXTS))
    return data[:start] + new + data[stop:]


def lines(rng: Random, data: bytes) -> bytes:
    """Remove, repeat, swap or join lines, or write them in another encoding."""
    listed = data.split(b"\n")
    i, j = rng.randrange(len(listed)), rng.randrange(len(listed))
    match rng.randrange(6):
        case 0:
            del listed[i]
        case 1:
            listed[i:i] = [listed[j]] * rng.choice((1, 2, 500))
        case 2:
            listed[i], listed[j] = listed[j], listed[i]
        case 3:
            return b"".join(listed) if rng.random() < 0.2 else b"\r".join(listed)
        case 4:
            text = data.decode("utf-8", "replace")
            return text.encode(rng.choice(("utf-16", "utf-8-sig", "latin-1", "utf-32")), "replace")
        case _:
            listed[i] += _bytes(rng.choice(TEXTS))
    return b"\n".join(listed)


def edf_field(rng: Random, data: bytes) -> bytes:
    """Write something odd into a field of an EDF header."""
    n_signals = max(1, (len(data) - 256) // 256 if rng.random() < 0.1 else int(data[252:256]))
    if rng.random() < 0.4:
        field = rng.randrange(10)
        start, stop = EDF_MAIN[field], EDF_MAIN[field + 1]
    else:
        field = rng.randrange(10)
        width = EDF_SIGNAL[field]
        start = 256 + n_signals * sum(EDF_SIGNAL[:field]) + width * rng.randrange(n_signals)
        stop = start + width
    options = (rng.choice(NUMBERS), rng.choice(TEXTS), "EDF Annotations", "EDF+D", "mV", "%", "V")
    new = _bytes(rng.choice((options[0], options[0], options[0], *options[1:])))
    pad = rng.choice((b" ", b" ", b" ", b"\0"))
    return data[:start] + new[: stop - start].ljust(stop - start, pad) + data[stop:]


def edf_annotation(rng: Random, data: bytes) -> bytes:
    """Change an onset, a duration, a text or a separator of EDF+ annotations, at equal length."""
    marks = [match.start() for match in re.finditer(rb"[\x14\x15]", data)]
    at = rng.choice(marks) + rng.randrange(-4, 5)
    new = rng.choice(
        (b"\x14", b"\x15", b"\0", b"+", b"-", b",", b".", b"9", b"e", b"\xe9", b"\x14\x14")
    )
    return data[:at] + new + data[at + len(new) :]


def xml(rng: Random, data: bytes) -> bytes:
    """Repeat, remove, nest or rename elements, or declare a document type."""
    tags = [match.span() for match in re.finditer(rb"<[^>]*>", data)]
    (a, b), (c, d) = rng.choice(tags), rng.choice(tags)
    match rng.randrange(6):
        case 0:
            return data[:a] + data[b:]
        case 1:
            return data[:a] + data[c:d] + data[b:]
        case 2:
            return data[:a] + data[a:b] * rng.choice((2, 1000)) + data[b:]
        case 3:
            entity = b'<!DOCTYPE x [<!ENTITY a "' + b"z" * 99 + b'"><!ENTITY b "&a;&a;&a;&a;">]>'
            return data[:b] + entity + b"&b;" + data[b:]
        case 4:
            inner = b"<x>" * 3000 + b"</x>" * 3000
            return data[:a] + inner + data[a:]
        case _:
            low, high = sorted((a, c))
            return data[:high] + data[low:high] * rng.choice((1, 40)) + data[high:]


def tree(rng: Random, data: bytes) -> bytes:
    """Replace, remove, repeat or nest a value of a JSON document; most YAML is read from it too."""
    root = json.loads(data)
    places = list(_places(root))
    parent, key = rng.choice(places)
    match rng.randrange(8):
        case 0:
            del parent[key]
        case 1:
            other, name = rng.choice(places)
            parent[key] = other[name]
        case 2:
            parent[key] = [parent[key]]
        case 3 if isinstance(parent, list):
            parent += [parent[key]] * rng.choice((1, 100))
        case 4 if isinstance(parent, dict):
            parent[rng.choice(TEXTS)] = parent.pop(key)
        case 5:
            return _deep(json.dumps(root), rng)
        case _:
            parent[key] = rng.choice(
                (None, True, [], {}, 0, -1, 1.5, 2**63, 10**400, 1e308, float("nan"), *TEXTS[:30])
            )
    return json.dumps(root, default=str).encode()


def yaml_anchor(rng: Random, data: bytes) -> bytes:
    """Write values of a YAML document as anchors and aliases, some of which hold each other."""
    text = data.decode("utf-8", "replace")
    form = rng.randrange(3)
    if form == 0:
        levels = "\n".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 9))
        return f"{text}\nl0: &l0 [x, x]\n{levels}\n".encode()
    if form == 1:
        return re.sub(r": ", ": &a ", text, count=1).encode() + b"\nz: *a\n<<: *a\n"
    return re.sub(r": ", ": &a [*a, ", text, count=1).replace("\n", "]\n", 1).encode()


def zipped(rng: Random, data: bytes) -> bytes:
    """Mutate a part of a ZIP archive, and write it anew."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice((*parts, *[name for name in parts if "sheet1" in name] * 6))
    match rng.randrange(8):
        case 0:
            del parts[name]
        case 1:
            parts[name] = parts.get(name, b"") * 300
        case _:
            parts[name] = rng.choice((bits, words, words, xml, xml))(rng, parts[name])
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for part, content in parts.items():
            archive.writestr(zipfile.ZipInfo(part), content)
    return file.getvalue()


def parquet(rng: Random, data: bytes) -> bytes:
    """Change a column, a type or the metadata of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(data), use_threads=False)
    i = rng.randrange(table.num_columns)
    name, column = table.column_names[i], table.column(i)
    match rng.randrange(8):
        case 0:
            table = table.drop_columns([name])
        case 1:
            table = table.append_column(name, column)
        case 2:
            table = table.rename_columns([rng.choice((*TEXTS[13:], n)) for n in table.column_names])
        case 3:
            table = table.set_column(
                i, name, pa.nulls(len(table), rng.choice((column.type, pa.null())))
            )
        case 4:
            table = pa.concat_tables([table] * rng.choice((2, 3)))
        case 5:
            footer = {k: bits(rng, v) for k, v in (table.schema.metadata or {b"k": b"v"}).items()}
            table = table.replace_schema_metadata(footer)
        case 6:
            footer = {k: tree(rng, v) for k, v in table.schema.metadata.items()}
            table = table.replace_schema_metadata(footer)
        case _:
            odd: Any = rng.choice(
                (1, 1.5, float("nan"), -(2**40), "x", "", b"\xff", True, [1], {"a": 1})
            )
            table = table.set_column(i, name, pa.array([odd] * len(table)))
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def ends(rng: Random, data: bytes) -> bytes:
    """Change bytes of the last kilobyte, where a Parquet file has its footer."""
    return data[:-1000] + bits(rng, data[-1000:])


def png(rng: Random, data: bytes) -> bytes:
    """Change a field of a PNG file's header, or the type of a chunk, with a valid checksum."""
    header = list(struct.unpack(">IIBBBBB", data[16:29]))
    at = rng.randrange(7)
    header[at] = rng.choice((0, 1, 3, 8, 16, 255, *((13_000, 2**31 - 1) if at < 2 else ())))
    body = rng.choice((b"IHDR", b"IHDR", b"IHDR", b"tEXt")) + struct.pack(">IIBBBBB", *header)
    return data[:12] + body + struct.pack(">I", zlib.crc32(body)) + data[33:]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _deep(text: str, rng: Random) -> bytes:
    depth, at = rng.choice((70, 400, 5000)), text.find(":") + 1
    return f"{text[:at]}{'[' * depth}{']' * depth},{text[at:]}".encode()


def _places(root: Any) -> Any:
    """Yield every value of a document, as its container and its key or index."""
    waiting = [root]
    while waiting:
        parent = waiting.pop()
        entries = parent.items() if isinstance(parent, dict) else enumerate(parent)
        for key, value in list(entries):
            yield parent, key
            if isinstance(value, dict | list):
                waiting.append(value)


KINDS: dict[str, tuple[Mutation, ...]] = {
    "edf": (edf_field, edf_field, edf_field, edf_annotation, edf_annotation, bits),
    "text": (words, words, lines, bits),
    "xml": (xml, xml, words, words, lines, bits),
    "json": (tree, tree, tree, words, bits),
    "yaml": (tree, tree, words, words, lines, yaml_anchor, bits),
    "parquet": (parquet, ends, ends, bits),
    "zip": (zipped, zipped, zipped, bits),
    "png": (png, bits, bits),
}
