"""The builder's commands: their options, and what they print."""
