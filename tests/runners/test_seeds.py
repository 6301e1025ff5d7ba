from __future__ import annotations

from isocompute.runners.seeds import seed_of


def test_a_seed_is_the_same_everywhere():
    assert seed_of(0, "solutions", "lab-0-1-0", 3) == 5426717529085307856


def test_seeds_differ_with_each_part_of_the_key():
    keys = [(s, t, p, i) for s in range(2) for t in ("solutions", "verifications") for p in "ab" for i in range(500)]
    seeds = {seed_of(*key) for key in keys}
    assert len(seeds) == len(keys)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_parts_of_a_key_do_not_run_together():
    assert seed_of(0, "p1", 1) != seed_of(0, "p", 11)
    assert seed_of(0, "1", 2) != seed_of(0, 1, 2)
