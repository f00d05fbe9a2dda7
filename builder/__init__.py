"""psgimg.builder: from a corpus on disk to an image + label dataset."""
