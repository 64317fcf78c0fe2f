from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

class Places:
    def __len__(self) -> int: ...
    def __contains__(self, word: bytes) -> bool: ...
    def __getitem__(self, word: bytes) -> int: ...
    def __setitem__(self, word: bytes, place: int) -> None: ...
    def get(self, word: bytes) -> int: ...
    def add(self, words: Sequence[bytes], first: int) -> None: ...

class _Held(Protocol):
    @property
    def sums(self) -> NDArray[np.float64]: ...
    @property
    def codes(self) -> NDArray[np.uint32]: ...
    @property
    def known(self) -> NDArray[np.bool_]: ...

def tokens(
    places: Places,
    letters: Places,
    texts: Sequence[str],
    beyond: dict[bytes, int],
    room: int,
    meet: Callable[[bytes], int],
    joined: Callable[[list[bytes]], list[bytes]],
    first_word: int,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]: ...
def worked(
    words: Sequence[bytes], weights: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.uint32]]: ...
def pool(
    order: NDArray[np.intp],
    sizes: NDArray[np.intp],
    scales: NDArray[np.floating],
    memory: _Held,
    beyond: _Held,
    weights: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
