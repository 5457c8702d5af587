"""`hotdog app`: a local page that shows what trained networks of both frameworks say of a photograph, and why."""
