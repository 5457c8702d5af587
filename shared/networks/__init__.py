"""Source networks as data: architectures, foreign weights in and out by name, class labels, output rows."""
