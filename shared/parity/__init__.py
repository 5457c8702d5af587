"""Do the two frameworks agree? Tensor by tensor, step by step, conclusion by conclusion."""
