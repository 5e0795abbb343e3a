"""The two places where a CapsNet's time goes, written for processors: convolution as matrix products, routing without û.

Each is a `torch.autograd.Function` that computes what the plain form beside it computes, gradients too.
"""
