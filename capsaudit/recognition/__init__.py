"""Recognising a model: which family and variant it is, inferred from the shapes of its tensors. One file a family."""
