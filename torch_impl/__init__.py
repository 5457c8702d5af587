"""The chapter in PyTorch."""
