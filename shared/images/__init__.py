"""Which images, in which order: drawn, downloaded or the user's own, and the views that both frameworks can be given."""
