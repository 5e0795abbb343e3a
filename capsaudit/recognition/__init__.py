"""Which reading a model is, told by the shapes of its tensors."""
