"""What one can ask: count, compare, explain, check, list. Each verb is a function that returns a result and prints nothing."""
