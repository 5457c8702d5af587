"""What both implementations need, in rooms: a room imports only from those above it (the list is in tests/order.py)."""
