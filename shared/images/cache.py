"""What a process keeps of its images in memory, up to a limit: decoded pixels, and test batches as they come out of the loader.

Nothing is kept until `set_limit(mib)` sets a limit. What is kept is what would have been made again, bit for bit; a file that has
changed since is decoded anew. Processes that load images for another one (PyTorch's workers) keep nothing.
"""

import os
import threading

# Main memory (MiB) that a run may keep decoded images and test batches in, unless it is told otherwise: the drawings whole.
CACHE_MIB = 256


class Cache:
    """Decoded images by file, and lists of batches by what they were made of; `used` of `limit` bytes."""

    def __init__(self):
        self.limit, self.used = 0, 0
        self.images, self.batches, self.lock = {}, {}, threading.Lock()

    def room_for(self, size: int) -> bool:
        """Take `size` bytes of the limit, if they are there."""
        with self.lock:
            if self.used + size > self.limit:
                return False
            self.used += size
            return True

    def image(self, file: str, decode, size_of):
        """`decode(file)`, or what it gave when it was called for this file before. size_of: bytes that a decoded image takes."""
        if not self.limit:
            return decode(file)
        facts = os.stat(file)
        key = (decode, file, facts.st_mtime_ns, facts.st_size)
        if key not in self.images:
            decoded = decode(file)
            if not self.room_for(size_of(decoded)):
                return decoded
            self.images[key] = decoded
        return self.images[key]


CACHE = Cache()


def set_limit(mib: int):
    """Keep up to `mib` MiB in this process from now on. What is kept beyond that is dropped, with all the rest."""
    CACHE.limit = mib * 2**20
    if CACHE.used > CACHE.limit:
        CACHE.images.clear()
        CACHE.batches.clear()
        CACHE.used = 0


class Prepared:
    """Batches that are made the first time they are gone through to the end, and kept in `made`."""

    def __init__(self, batches, made: list):
        self.batches, self.made = batches, made

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        if self.made:
            yield from self.made
            return
        made = []
        for batch in self.batches:
            made.append(batch)
            yield batch
        self.made[:] = made


def prepared(batches, framework: str, split, size: int, batch_size: int):
    """The test batches of `split`, prepared once where there is room for all of them (4 bytes a number), else as they are."""
    key = (framework, split, size, batch_size)
    if key not in CACHE.batches:
        if not CACHE.room_for(len(split) * 3 * size * size * 4):
            return batches
        CACHE.batches[key] = []
    return Prepared(batches, CACHE.batches[key])
