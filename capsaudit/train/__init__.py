"""Training: the paper's losses, a short run that validates a variant, and what it shows of each parameter."""
