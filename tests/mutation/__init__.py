"""Mutation testing: would the suite notice a fault? `python -m tests.mutation`, see `__main__.py`."""
