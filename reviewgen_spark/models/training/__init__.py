"""Trains models: the trainer, optimizer, checkpoints, fine-tuning, pre-training, studies."""
