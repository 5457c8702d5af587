"""What is decided before the runs are made: the endpoint, the margin, the experiments that are tested together, and the test.

The design decides the test. Runs with `shared` draws and the same seed start from the same tensors and see the same views in the
same order: they are a pair, and their differences are tested. Runs with their framework's `own` draws have nothing in common but
a number: two independent groups, compared by Welch's test and never as pairs.
"""

from shared.errors import UserError
from shared.images.draws import DRAWS

# Two accuracies count as equivalent when they differ by less than 3 points: about the spread of the chapter's published results
# (standard deviation 1 to 2.5 points over 27 runs). The margin entered the history together with the first run records
# (21 November 2026), so it cannot show that the margin is older than they are; it has not been changed since.
MARGIN = 0.03

# The endpoint: the mean test accuracy after each of the last three epochs, because at the chapter's rates it swings by several
# points from one epoch to the next. The runs recorded up to 24 November 2026 are older than this choice.
ENDPOINT_EPOCHS = 3

# Chance of a false verdict among all the experiments of the family together.
LEVEL = 0.05

# The experiments that are tested together. Holm's correction counts all of them, those that were not run too, so a verdict does
# not depend on which ones were asked for beside it.
FAMILY = ("finetune", "scratch", "frozen", "frozen-locked", "hotdog-row")


def the_draws(draws) -> str:
    """The one kind of draws among `draws`. Raises UserError where both kinds are there, or another one."""
    kinds = sorted(set(draws))
    unknown = [kind for kind in kinds if kind not in DRAWS]
    if unknown:
        raise UserError(f"runs with draws {unknown[0]!r}: only {' and '.join(DRAWS)} are known")
    if len(kinds) > 1:
        raise UserError("runs with shared and with own draws cannot be compared together: choose one kind by --draws")
    return kinds[0]
