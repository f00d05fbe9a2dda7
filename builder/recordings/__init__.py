"""Recordings and how their files are read: header, channels, montage, hypnogram."""
