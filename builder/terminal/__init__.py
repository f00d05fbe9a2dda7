"""The builder's commands: their options and their output."""
