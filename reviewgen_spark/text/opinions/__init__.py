"""Reads opinions without a trained model: lexicon, aspects, labelling functions, label model."""
