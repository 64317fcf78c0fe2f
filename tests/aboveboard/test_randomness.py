"""Randomness: as many bytes as asked for, none of them twice."""

import threading

from aboveboard.randomness import PAGE_BYTES, Randomness


def test_it_answers_as_many_bytes_as_asked_for() -> None:
    """Few, none, to the end of a page, across it, and more than a page at once."""
    random = Randomness()

    for count in (32, 0, PAGE_BYTES - 32, 1, PAGE_BYTES, PAGE_BYTES + 1, 7):
        assert len(random(count)) == count


def test_no_bytes_come_twice_to_any_thread() -> None:
    """Of many threads that draw at once, each has its own."""
    random = Randomness()
    drawn: list[bytes] = []

    def draw() -> None:
        drawn.extend(random(16) for _ in range(2000))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(drawn) == len(set(drawn)) == 8000
