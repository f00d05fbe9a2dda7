"""From a corpus on disk to an image + label dataset. The main paths are at the top."""
