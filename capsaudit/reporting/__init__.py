"""The report: the results of the commands for everything shipped, as data, as pages and as pictures."""
