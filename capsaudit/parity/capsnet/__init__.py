"""Sabour et al. 2017: the stages of the forward pass, what else they may compute, and the search for what a model computes."""
