"""Packed products: those of torch, for rows of any number; nothing is kept of numbers of rows."""

import ctypes
import sys

import pytest
import torch
import torch.nn.functional as F

from cove.batches import ListBatch
from cove.packed_product import Activation, PackedProduct
from cove.recommenders.fans import Fans, FansSettings
from cove.recommenders.sasrec import SasRec, SasRecSettings
from cove.vocabulary import NUM_SPECIAL

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="torch was built without oneDNN"
)


class Mallinfo2(ctypes.Structure):
    """What glibc's `mallinfo2` gives; its eighth number is the bytes in use."""

    _fields_ = [(f"number_{place}", ctypes.c_size_t) for place in range(10)]


def bytes_in_use() -> int:
    """Of the C library's memory."""
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = Mallinfo2
    return library.mallinfo2().number_7


@pytest.mark.parametrize("activation", ["none", "gelu"])
@pytest.mark.parametrize("count", [0, 1, 4, 5, 12, 13, 40])
def test_rows_of_any_number_are_multiplied(count: int, activation: Activation) -> None:
    weights, bias, rows = torch.randn(6, 3), torch.randn(6), torch.randn(count, 3)
    packed = PackedProduct.of(weights, bias, (4, 12), activation)
    wanted = F.linear(rows, weights, bias)
    wanted = F.gelu(wanted) if activation == "gelu" else wanted
    assert packed is not None
    torch.testing.assert_close(packed(rows), wanted)


def test_parts_are_as_large_as_the_largest_size() -> None:
    packed = PackedProduct.of(torch.ones(2, 2), torch.zeros(2), (4, 12))
    assert packed is not None
    assert list(packed.parts(30)) == [slice(0, 12), slice(12, 24), slice(24, 36)]


def test_weights_of_another_type_are_left_as_they_are() -> None:
    assert PackedProduct.of(torch.ones(2, 2).double(), torch.zeros(2).double(), (4,)) is None


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallinfo2"),
    reason="counts memory as glibc 2.33 and later do",
)
@pytest.mark.parametrize(
    "recommender",
    [SasRec(SasRecSettings(layers=1), 3000), Fans(FansSettings(layers=1), 3000)],
    ids=["sasrec", "fans"],
)
def test_nothing_is_kept_of_batches_of_many_shapes(recommender: SasRec | Fans) -> None:
    def complete(size: int, length: int) -> None:
        lists = torch.randint(NUM_SPECIAL, NUM_SPECIAL + 3000, (size, length))
        recommender.complete(ListBatch(lists, lists[:, :0]), 5)

    recommender.eval()
    recommender.pack()
    for size in range(1, 11):  # what is made once for all
        complete(size, 5 + size)
    before = bytes_in_use()
    for size in range(11, 41):
        complete(size, 5 + size)
    assert bytes_in_use() - before < 1 << 18  # where code was kept for each shape: megabytes
