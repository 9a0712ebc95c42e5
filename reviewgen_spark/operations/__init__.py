"""Does what an operator starts by hand: status, maintenance, erasure, export, comparison of models."""
