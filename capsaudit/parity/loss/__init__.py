"""Whether a loss is the paper's: the function is called with known values, and its terms are what explains what it returns."""
