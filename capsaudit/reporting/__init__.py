"""The written audit: everything the verbs know, gathered once, as data, as one page, and as pictures."""
