"""Where codebooks start, how dead codes are revived, and properties of any quantizer."""

import sys

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from cove.clustering import kmeans
from cove.errors import SettingsError
from cove.quantization import CascadedQuantizer, QuantizerSettings, code_use, nearest_codes

BLOBS = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 30.0]])


def around_blobs(per_blob: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(3, per_blob, 2, generator=generator) * 0.1
    return (BLOBS[:, None] + noise).flatten(0, 1)


def quantizer(sizes: tuple[int, ...], dimensions: int, **given: object) -> CascadedQuantizer:
    return CascadedQuantizer(QuantizerSettings(code_sizes=sizes, **given), dimensions)


def catalogue(num: int, dimensions: int, scale: float = 0.02) -> Tensor:
    return torch.randn(num, dimensions, generator=torch.Generator().manual_seed(5)) * scale


@pytest.mark.parametrize("initialization", ["sample", "normal", "kmeans"])
def test_codebooks_start_at_the_embeddings_scale_and_most_codes_are_used(initialization):
    made, vectors = quantizer((50, 10), 16, initialization=initialization), catalogue(1000, 16)
    assert not made.active
    made.initialize(vectors, 0)
    assert made.active
    # k-means' centroids are means of some 20 vectors each, so nearer to the origin
    lowest = 0.2 if initialization == "kmeans" else 0.8
    for book in made.codebooks:
        assert lowest < book.std() / vectors.std() < 1.2
    most = 0.5 if initialization == "normal" else 0.9
    assert all(use.ratio >= most for use in code_use(made.codes(vectors), (50, 10)))


def test_sampled_codebooks_are_entities_and_sampled_coarse_codes_are_fine_codes():
    made, vectors = quantizer((20, 4), 8, initialization="sample"), catalogue(100, 8)
    made.initialize(vectors, 0)
    below = [vectors, *made.codebooks]
    for source, book in zip(below, made.codebooks, strict=False):
        rows = {tuple(row) for row in source.tolist()}
        codes = {tuple(row) for row in book.tolist()}
        assert codes <= rows
        assert len(codes) == len(book)


def test_the_same_seed_gives_the_same_codebooks_and_another_seed_others():
    books = []
    for seed in (0, 0, 1):
        made = quantizer((20, 4), 8)
        made.initialize(catalogue(100, 8), seed)
        books.append(made.codebooks[0].detach().clone())
    assert torch.equal(books[0], books[1])
    assert not torch.equal(books[0], books[2])


def test_k_means_puts_the_codes_on_the_centres_of_what_is_there():
    vectors = around_blobs(40)
    made = quantizer((3, 2), 2, initialization="kmeans")
    made.initialize(vectors, 0)
    means = vectors.reshape(3, 40, 2).mean(dim=1)
    fine = made.codebooks[0]
    order = nearest_codes(means, fine)
    assert sorted(order.tolist()) == [0, 1, 2]
    torch.testing.assert_close(fine[order], means)
    # of the three centres the first two are nearest to each other: their mean, and the third
    coarse = made.codebooks[1][made.parents()[0][order]]
    both = (means[0] + means[1]) / 2
    torch.testing.assert_close(coarse, torch.stack([both, both, means[2]]))


def test_k_means_without_faiss_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(SettingsError, match=r"needs faiss, of the extra `cpu`"):
        kmeans(around_blobs(4), 3, 0)


def test_more_codes_than_entities_are_refused():
    message = r"code_sizes must not exceed the number of entities, 10: got 11"
    with pytest.raises(ValueError, match=message):
        quantizer((11, 2), 4).initialize(catalogue(10, 4), 0)


def test_revival_moves_dead_codes_onto_entities_and_leaves_the_living_alone():
    made, vectors = quantizer((4, 1), 2), around_blobs(20)
    far = torch.tensor([[500.0, 500.0], [600.0, 600.0]])
    with torch.no_grad():
        made.codebooks[0].copy_(torch.cat([BLOBS[:2], far]))  # the third blob has no code
        made.codebooks[1].copy_(BLOBS[:1])
    torch.manual_seed(0)
    assert made.revive(vectors) == 2
    fine = made.codebooks[0]
    assert torch.equal(fine[:2], BLOBS[:2])
    assert (torch.cdist(fine[2:], vectors).min(dim=1).values < 1e-6).all()
    assert (fine[2:, 1] > 25).all()  # the far blob holds almost all of the squared distance
    assert torch.equal(made.codebooks[1], BLOBS[:1])


def test_revival_moves_dead_coarse_codes_onto_fine_codes_in_use():
    made, vectors = quantizer((4, 3), 2), around_blobs(20)
    with torch.no_grad():
        made.codebooks[0].copy_(torch.cat([BLOBS, torch.tensor([[500.0, 500.0]])]))
        made.codebooks[1].copy_(torch.tensor([[0.0, 0.0], [0.0, 30.0], [-900.0, 0.0]]))
    before = [book.detach().clone() for book in made.codebooks]
    torch.manual_seed(0)
    assert made.revive(vectors) == 2  # the fourth fine code, and the third coarse one
    assert torch.equal(made.codebooks[0][:3], before[0][:3])
    assert torch.equal(made.codebooks[1][:2], before[1][:2])
    moved = made.codebooks[1][2:]
    assert torch.cdist(moved, made.codebooks[0]).min() == 0


def test_revival_does_nothing_where_every_code_is_used_or_nothing_is_left_to_take():
    made, vectors = quantizer((3, 2), 2), around_blobs(20)
    made.initialize(BLOBS, 0)
    before = [book.detach().clone() for book in made.codebooks]
    assert made.revive(vectors) == 0
    for book, old in zip(made.codebooks, before, strict=True):
        assert torch.equal(book, old)
    same = quantizer((3, 2), 2)  # all codes and all entities lie in one point
    assert same.revive(torch.zeros(5, 2)) == 0


def test_enough_revivals_bring_a_collapsed_codebook_to_use_all_its_codes():
    made, vectors = quantizer((50, 10), 8), catalogue(500, 8)
    with torch.no_grad():
        for book in made.codebooks:
            book.copy_(torch.randn(book.shape, generator=torch.Generator().manual_seed(0)))
    assert code_use(made.codes(vectors), (50, 10))[0].used < 5
    torch.manual_seed(0)
    for _ in range(5):
        made.revive(vectors)
    assert [use.used for use in code_use(made.codes(vectors), (50, 10))] == [50, 10]


@st.composite
def cases(draw: st.DrawFn) -> tuple[CascadedQuantizer, Tensor]:
    sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True))
    num, dimensions = draw(st.integers(12, 40)), draw(st.integers(1, 6))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1e-3, 0.02, 1.0, 50.0]))
    vectors = torch.randn(num, dimensions, generator=generator) * scale
    made = quantizer(tuple(sorted(sizes, reverse=True)), dimensions, initialization="normal")
    made.initialize(vectors, draw(st.integers(0, 99)))
    return made, vectors


@settings(max_examples=60, deadline=None)
@given(cases())
def test_any_nearest_code_is_the_nearest_by_pairwise_distances_up_to_ties(case):
    made, vectors = case
    distances = torch.cdist(vectors.double(), made.codebooks[0].double())
    chosen = distances.gather(1, nearest_codes(vectors, made.codebooks[0])[:, None])
    slack = 1e-3 * float(vectors.abs().max())
    assert (chosen.squeeze(1) <= distances.min(dim=1).values + slack).all()


@settings(max_examples=60, deadline=None)
@given(cases())
def test_any_codes_are_a_function_of_the_level_below(case):
    made, vectors = case
    codes = made.codes(vectors)
    for level, parent in enumerate(made.parents()):
        assert torch.equal(codes[:, level + 1], parent[codes[:, level]])
        assert len(parent) == made.settings.code_sizes[level]
        assert parent.max() < made.settings.code_sizes[level + 1]


@settings(max_examples=60, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_any_order_of_the_entities_gives_the_same_codes_in_that_order(case, random):
    made, vectors = case
    order = list(range(len(vectors)))
    random.shuffle(order)
    assert torch.equal(made.codes(vectors[order]), made.codes(vectors)[order])


@settings(max_examples=60, deadline=None)
@given(cases())
def test_any_renaming_of_the_fine_codes_renames_the_codes_and_changes_nothing_else(case):
    made, vectors = case
    codes, average = made(vectors)
    with torch.no_grad():
        made.codebooks[0].copy_(made.codebooks[0].flip(0))
    renamed, same = made(vectors)
    assert torch.equal(renamed[:, 0], len(made.codebooks[0]) - 1 - codes[:, 0])
    assert torch.equal(renamed[:, 1:], codes[:, 1:])
    assert torch.equal(same, average)
