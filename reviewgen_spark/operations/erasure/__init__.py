"""Erases users and reviews from tables, earlier versions, exports and corpora, and verifies it."""
