"""Reads delivered files into the bronze tables."""
