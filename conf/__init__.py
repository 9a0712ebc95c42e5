"""Configuration files and dictionaries, shipped inside the wheel."""
