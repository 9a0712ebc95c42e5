"""Generates texts token by token: sampling, KV cache, watermark."""
