"""Measures how similar texts are: MinHash signatures, copied runs of words."""
