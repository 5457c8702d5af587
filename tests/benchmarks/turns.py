"""Turns of a contestant: batches that wait until it is its turn, and say afterwards how long they took."""

import json
import resource
import sys
import time


class NoMoreTurns(Exception):
    """There will be no further turn: the other side has closed the line."""


class Turns:
    """Batches (X, y) of which every pass is a turn. The first one, which warms up, is taken at once; the others wait for a line.

    After each pass a line of JSON is written: images, wall and processor seconds of this process with all of its threads, the most
    memory it has held so far (MiB), and the wall seconds from `began` (seconds since 1970) until the first step was done.
    """

    def __init__(self, batches, began: float, synchronize, answers):
        self.batches, self.began, self.synchronize, self.answers = batches, began, synchronize, answers
        self.first_step = None

    def __iter__(self):
        if self.first_step is not None and not sys.stdin.readline():
            raise NoMoreTurns
        wall, processor, images = time.perf_counter(), time.process_time(), 0
        for X, y in self.batches:
            yield X, y
            images += len(y)
            if self.first_step is None:
                self.synchronize()
                self.first_step = time.time() - self.began
        self.synchronize()
        told = {
            "images": images,
            "seconds": time.perf_counter() - wall,
            "processor_seconds": time.process_time() - processor,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "first_step_seconds": self.first_step,
        }
        print(json.dumps(told), file=self.answers, flush=True)
