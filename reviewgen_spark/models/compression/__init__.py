"""Makes a model smaller and faster: distillation, pruning, ONNX, the n-gram classifier."""
