"""Whether a capsule network computes the paper's function: its forward pass is compared with the paper's equations, stage by stage."""
