"""The parity tests: the ladder, its faults and what they are climbed with."""
