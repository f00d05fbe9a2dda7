"""What a night is, and how its files are read: header, channels, montage, hypnogram."""
