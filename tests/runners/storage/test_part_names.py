"""Names of parts say what is read, whatever stands beside them."""

from __future__ import annotations

import random

import pytest

from isocompute.runners.storage.part_names import (
    NamedPart,
    choose_blocks,
    find_next_number,
    name_joined_part,
    name_void_part,
    select_parts,
)


def part(number, token="0a"):
    return f"t/part-{number:05d}-{token}.parquet"


def joined(first, size, token="0b"):
    return f"t/{name_joined_part(first, size, token)}"


def read(*paths):
    return [each.path for each in select_parts(paths)[0]]


def test_a_joined_part_is_read_in_the_place_of_its_parts():
    assert read(part(3), joined(0, 2), part(2), part(1), part(0)) == [joined(0, 2), part(2), part(3)]
    assert read(joined(0, 2), joined(0, 4), joined(2, 2), part(4)) == [joined(0, 4), part(4)]


def test_of_two_joined_parts_with_the_same_parts_one_is_read():
    assert read(joined(0, 2, "0c"), joined(0, 2, "0b")) == [joined(0, 2, "0b")]


def test_parts_of_two_writers_with_one_number_are_both_read():
    assert read(part(0, "0a"), part(0, "0b")) == [part(0, "0a"), part(0, "0b")]


def test_a_void_part_is_not_read_and_its_number_is_not_used_again():
    void = f"t/{name_void_part(1, '0a')}"
    assert read(part(0), void, part(1)) == [part(0)]
    parts, retired = select_parts([part(0), void])
    assert ([each.path for each in parts], retired) == ([part(0)], [])  # it still waits for what may come
    assert find_next_number([part(0), void]) == 2
    assert [each.path for each in select_parts([joined(0, 2), void, part(1)])[1]] == [void, part(1)]


def test_what_retires_a_part_comes_after_it_in_the_order_of_names():
    names = [part(99999), joined(0, 2), joined(64, 64), joined(0, 4096), f"t/{name_void_part(7, '0a')}"]
    assert names == sorted(names)


@pytest.mark.parametrize("seed", range(20))
def test_joining_again_and_again_reads_every_number_once(seed):
    rng = random.Random(seed)
    paths: set[str] = set()
    for step in range(200):
        paths.add(part(find_next_number(paths)))
        if rng.random() < 0.2:
            parts, retired = select_parts(paths)
            for block in choose_blocks(
                parts, dict.fromkeys(paths, 1), 2, rng.choice((2, 4)), rng.choice((3, 10, 1000))
            ):
                paths.add(joined(block.first, block.size, f"{step:x}"))
            if rng.random() < 0.5:
                paths -= {each.path for each in retired}
        held = [number for each in select_parts(paths)[0] for number in range(each.first, each.end)]
        assert held == list(range(step + 1))


def test_a_block_holds_no_number_that_is_still_to_come():
    parts = [NamedPart(part(number), number) for number in range(101)]
    blocks = choose_blocks(parts, dict.fromkeys(map(part, range(101)), 1), least=2, factor=2, most_bytes=10**9)
    assert [(block.first, block.size, len(block.parts)) for block in blocks] == [(0, 64, 64), (64, 32, 32), (96, 4, 4)]


def test_a_hundred_thousand_parts_become_few_while_they_are_written():
    parts = [NamedPart(part(number), number) for number in range(100_000)]
    blocks = choose_blocks(parts, {each.path: 200_000 for each in parts}, least=64, factor=8, most_bytes=64 * 2**20)
    alone = len(parts) - sum(len(block.parts) for block in blocks)
    assert (len(blocks), alone) == (1562, 32)
    assert {block.size for block in blocks} == {64}  # 512 parts of this size would be too large
