"""Model files: what is wrong with a local folder whose model can't be loaded, and how to mend it.

The libraries that load a model name neither a truncated file nor, if a file is missing, the right
remedy: they suppose a repository on the Hub. A folder is looked through after they have failed, so
that a sound model costs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from psgimg.builder.files import bounded

CONFIG, ADAPTER = "config.json", "adapter_config.json"
INDEX = "model.safetensors.index.json"
VIDEO = "video_preprocessor_config.json"
CONFIGS = (
    CONFIG,
    ADAPTER,
    INDEX,
    VIDEO,
    "processor_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
"""JSON files that the libraries read, each an object."""

WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "adapter_model.bin")
PICTURES = ("processor_config.json", "preprocessor_config.json")
TOKENS = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json")

HEADER = bounded.Bound(
    "the header of a safetensors file", 100_000_000, b",[{", 12_000_000, "values"
)
"""As long as the format allows; a model has some thousand weights."""

N_LENGTH = 8
"""Bytes of the length of the header, with which a safetensors file begins."""

AGAIN = "copy or download the model again"


def fault(folder: Path, said: str) -> str | None:
    """Return what is wrong with the files of a model, in one line with the remedy; None if nothing.

    Parameters
    ----------
    said
        Message of the library that failed to load it.
    """
    if not any((folder / name).is_file() for name in (CONFIG, ADAPTER)):
        return (
            f"{folder} has no {CONFIG}; use the folder of a model, such as `psgimg sft` writes, or "
            "the id of one on the Hub"
        )
    damaged = next(_damaged(folder), None)
    return f"{damaged}; {AGAIN}" if damaged else _missing(folder, said)


def _damaged(folder: Path) -> Iterator[str]:
    """Yield each file that is not what its name says."""
    for path in (folder / name for name in CONFIGS):
        if path.is_file():
            try:
                values = json.loads(path.read_bytes())  # with numbers longer than psgimg's
            except OSError as error:
                yield f"{path}: {error.strerror or error}"
            except (ValueError, RecursionError) as error:
                yield f"{path} is damaged ({' '.join(str(error).split())})"
            else:
                if not isinstance(values, dict):
                    yield f"{path} is damaged (no JSON object)"
    for path in sorted(folder.glob("*.safetensors")):
        try:
            cut = _cut(path)
        except OSError as error:
            yield f"{path}: {error.strerror or error}"
        else:
            if cut:
                yield f"{path} is damaged ({cut})"


def _cut(path: Path) -> str | None:
    """Return what is wrong with the length of a safetensors file, or with its header."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(N_LENGTH), "little")
        if size < N_LENGTH or N_LENGTH + length > min(size, HEADER.n_bytes):
            return f"{size:,} bytes without a whole header"
        try:
            header = bounded.loads(file.read(length), path.name, HEADER)
            ends = [one["data_offsets"][1] for key, one in header.items() if key != "__metadata__"]
            expected = N_LENGTH + length + max(ends, default=0)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return "its header can't be read"
    return None if size == expected else f"{size:,} of {expected:,} bytes"


def _missing(folder: Path, said: str) -> str | None:
    """Return which file of a model is missing."""
    if VIDEO in said and not (folder / VIDEO).is_file():
        return (
            f"{folder} has no {VIDEO}, as the model was saved without torchvision; copy that file "
            "from its base model"
        )
    shards = _shards(folder)
    if absent := next((name for name in shards if not (folder / name).is_file()), None):
        return f"{folder} has no {absent}, which {INDEX} lists; {AGAIN}"
    if not any(path for pattern in WEIGHTS for path in folder.glob(pattern)):
        return f"{folder} has no weights, such as *.safetensors; {AGAIN}"
    for names in (PICTURES, TOKENS):
        if not any((folder / name).is_file() for name in names):
            return f"{folder} has no {names[0]}; copy the file from its base model"
    return None


def _shards(folder: Path) -> list[str]:
    """Return the names of the files that the index of a model lists; none without an index."""
    try:
        values = json.loads((folder / INDEX).read_bytes())
        return sorted({str(name) for name in values["weight_map"].values()})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []
