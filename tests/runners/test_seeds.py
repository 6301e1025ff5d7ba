from __future__ import annotations

from isocompute.runners.seeds import derive_seed


def test_a_seed_is_the_same_everywhere():
    assert derive_seed(0, "solutions", "lab-0-1-0", 3) == 5426717529085307856


def test_seeds_differ_with_each_part_of_the_key():
    keys = [(s, t, p, i) for s in range(2) for t in ("solutions", "verifications") for p in "ab" for i in range(500)]
    seeds = {derive_seed(*key) for key in keys}
    assert len(seeds) == len(keys)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_parts_of_a_key_do_not_run_together():
    assert derive_seed(0, "p1", 1) != derive_seed(0, "p", 11)
    assert derive_seed(0, "1", 2) != derive_seed(0, 1, 2)
