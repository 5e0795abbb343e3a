"""The page of training runs: which finished runs are recorded, what it compares them with, and how it shows them."""
