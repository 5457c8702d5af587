"""MXNet 1.9.1 on a current NumPy: give back the names that NumPy has removed since 1.23, where they are gone.

MXNet 1.9.1 reads these names while it is imported. NumPy 1.24 removed the aliases of Python's types, NumPy 2.0 the spellings of
infinity and the old function names; `mirr` to `rate` left even before, and MXNet only mentions them. On a
NumPy that still has a name nothing is done to it. Python 3.12 also needs setuptools < 81, for `distutils`.
"""

import numpy

REMOVED = {
    # Python's types (NumPy 1.24)
    **{t.__name__: t for t in (bool, int, float, complex, object, str)},
    # constants (NumPy 2.0)
    **{"PZERO": 0.0, "NZERO": -0.0, "PINF": numpy.inf, "NINF": -numpy.inf},
    **{"Inf": numpy.inf, "Infinity": numpy.inf, "infty": numpy.inf},
    **{"NAN": numpy.nan, "NaN": numpy.nan},
    # functions with a new name (NumPy 2.0 and later), by the name that is left
    **{"product": "prod", "cumproduct": "cumprod", "sometrue": "any", "alltrue": "all"},
    **{"in1d": "isin", "trapz": "trapezoid", "row_stack": "vstack", "round_": "round"},
    # functions that went without a successor; MXNet lists them as fall-backs and calls none
    **dict.fromkeys(("mirr", "msort", "npv", "pmt", "ppmt", "pv", "rate", "ipmt", "nper", "fv")),
    **dict.fromkeys(("asscalar", "irr")),
}


def restore() -> list[str]:
    """Set the names of REMOVED that this NumPy lacks, and return them. Call before MXNet is imported."""
    restored = []
    if tuple(map(int, numpy.__version__.split(".")[:2])) < (1, 24):
        return restored  # what MXNet was written for
    for name, stand_in in REMOVED.items():
        if name in vars(numpy):
            continue
        if isinstance(stand_in, str):
            stand_in = getattr(numpy, stand_in)
        setattr(numpy, name, stand_in)
        restored.append(name)
    return restored
