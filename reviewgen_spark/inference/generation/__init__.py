"""Generates and checks texts on the executors."""
