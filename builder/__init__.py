"""From a corpus on disk to an image + label dataset. Each main path stands at the top."""
