"""Why images could not be loaded: what a loading thread or process says of its end rarely names the file."""

from pathlib import Path

from shared.errors import FailedRun, UserError, reason_of
from shared.images.checks import check_image
from shared.images.splits import Split


class LoadingError(FailedRun):
    """Images could not be loaded. The text is one line that names the file, or says what the loading processes lack."""


def explained(error: Exception, splits: list[Split] = (), files: list[Path] = ()) -> Exception:
    """What to raise instead of `error`, which came up while images were loaded and computed with:

        except Exception as error:
            raise explained(error, [dataset.train, dataset.test]) from error

    A LoadingError that names the first image of `splits` and `files` that can no longer be read, where there is one; all could
    be read when they were checked. Otherwise `error` itself.
    """
    if isinstance(error, UserError):
        return error
    for path in [*files, *(file for split in splits for file, _ in split.items)]:
        try:
            check_image(Path(path))
        except UserError as unreadable:
            return LoadingError(f"{unreadable}; it could be read before. First seen as: {reason_of(error)}")
    return error
