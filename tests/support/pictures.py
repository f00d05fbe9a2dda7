"""Pictures read back by Pillow."""

import io

import numpy as np
from PIL import Image


def decode(data):
    """Pillow's picture of a file, shape (height, width, 1 or 3)."""
    with Image.open(io.BytesIO(data)) as image:
        assert not image.info
        pixels = np.asarray(image)
        assert image.mode == ("L" if pixels.ndim == 2 else "RGB")
    return np.atleast_3d(pixels)
