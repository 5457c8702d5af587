"""The book's exercises, one lab report each, on one bench."""
