"""Mazzia, Salvetti, Chiaberge 2021: the stages of an Efficient-CapsNet, what else they may compute, and the search for what a model computes."""
