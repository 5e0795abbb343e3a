"""Live modules: the tensors that they register, and what one forward pass uses and changes."""
