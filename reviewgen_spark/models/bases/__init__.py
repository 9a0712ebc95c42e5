"""Builds what training starts from: a new encoder or decoder, the embedded weights, a checkpoint."""
