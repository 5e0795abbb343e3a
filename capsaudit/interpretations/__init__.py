"""The interpretations of a network: which there are, what each comes to, and which of them print as a figure."""
