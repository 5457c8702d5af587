"""How fast: the book's own code, ours, and the bare training step, in processes that take turns. Nothing here is a timed test."""
