"""The embedded default: drawn pictures of hot dogs and others, and a small network that knows drawings."""
