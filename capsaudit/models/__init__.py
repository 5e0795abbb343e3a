"""Networks in torch, built from a spec. They share no counting code with the arithmetic."""
