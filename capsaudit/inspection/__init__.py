"""Inspection of a user's model: its tensors, and what one forward pass shows about them."""
