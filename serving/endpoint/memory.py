"""The memory that clients' requests and servers' answers take together, counted as they come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class TooLargeError(Exception):
    """An answer that is over a limit; the message says which."""


class MemoryShare:
    """The memory that one of many takes from a pool.

    Args:
        pool: the pool.
    """

    def __init__(self, pool: MemoryPool) -> None:
        self.pool, self.size = pool, 0

    def set_size(self, size: int) -> bool:
        """Take so many bytes in all; return False and change nothing if the pool has too few left."""
        grown = self.pool.taken + size - self.size
        if size > self.size and grown > self.pool.most:
            return False
        self.pool.taken, self.size = grown, size
        return True


class MemoryPool:
    """A number of bytes that many share.

    Args:
        most: the bytes that all may take together.

    >>> pool = MemoryPool(10)
    >>> with pool.open_share() as one, pool.open_share() as other:
    ...     one.set_size(8), other.set_size(3), one.set_size(7), other.set_size(3)
    (True, False, True, True)
    >>> pool.taken
    0
    """

    def __init__(self, most: int) -> None:
        self.most, self.taken = most, 0

    @contextmanager
    def open_share(self) -> Iterator[MemoryShare]:
        """Yield a share, empty so far; what it takes is given back at the end."""
        share = MemoryShare(self)
        try:
            yield share
        finally:
            share.set_size(0)
