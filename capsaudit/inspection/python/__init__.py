"""Models in code: importing, building and running what somebody else wrote."""
