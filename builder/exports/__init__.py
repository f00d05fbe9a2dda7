"""psgimg.builder.exports: a finished dataset folder in the layouts that other tools read."""
