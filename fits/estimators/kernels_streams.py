"""Compiled streams of random numbers, each a function of a problem's key, a seed and the number of a draw."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Streams = NDArray[np.uint64]

STREAM_STEP = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


@njit(cache=True)
def hash_word(x: np.uint64) -> np.uint64:
    """Return the output function of SplitMix64 (Steele, Lea & Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True)
def derive_stream(stream: np.uint64, number: int) -> np.uint64:
    """Return the state of the sub-stream with a number."""
    derived: np.uint64 = hash_word(stream + STREAM_STEP * np.uint64(number + 1))
    return derived


@njit(cache=True)
def scale_word(word: np.uint64, below: int) -> int:
    """Return an integer 0 … below - 1 from 64 random bits."""
    return int(((word >> _HALF) * np.uint64(below)) >> _HALF)


@njit(cache=True)
def start_streams(keys: Streams, seed: np.uint64) -> Streams:
    """Return (P,) the stream of each problem, from its key and the seed."""
    streams = np.empty(len(keys), dtype=np.uint64)
    for p in range(len(keys)):
        streams[p] = hash_word(hash_word(seed + STREAM_STEP) ^ hash_word(keys[p]))
    return streams
