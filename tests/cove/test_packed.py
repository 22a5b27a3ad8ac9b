"""What an artifact packs, ids, titles and the text of a search, is what is read again."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

import cove.search
import cove.vocabulary
from cove.packed import PackedRows, packed
from cove.search import TextSearch, pack_search, read_search
from cove.vocabulary import (
    NUM_SPECIAL,
    PackedVocabulary,
    Vocabulary,
    pack_vocabulary,
    read_vocabulary,
)

TEXTS = st.text(st.characters())  # halves of surrogate pairs too: JSON allows them


@given(st.lists(TEXTS | st.integers() | st.lists(TEXTS)))
def test_packed_rows_are_the_rows(rows: list) -> None:
    tensors = packed("name", rows)
    read = PackedRows(tensors["name"], tensors["name_starts"])
    assert list(read) == rows
    assert read[1:-1] == rows[1:-1]


def test_packed_rows_are_read_from_both_ends_and_no_further() -> None:
    tensors = packed("name", ["a", "b"])
    read = PackedRows.read(tensors, "name")
    assert read is not None
    assert (read[0], read[-1]) == ("a", "b")
    for place in (2, -3):
        with pytest.raises(IndexError):
            read[place]
    assert PackedRows.read(tensors, "other") is None
    with pytest.raises(ValueError, match="end elsewhere"):
        PackedRows(tensors["name"][:-1], tensors["name_starts"])


@given(st.lists(TEXTS | st.integers(), unique_by=str), TEXTS)
def test_a_packed_vocabulary_finds_what_the_listed_one_does(ids: list, other: str) -> None:
    listed = Vocabulary(ids)
    read = PackedVocabulary.read(pack_vocabulary(listed.ids))
    assert len(read) == len(ids)
    assert list(read.ids) == ids
    asked = [*ids, other, *map(str, ids)]
    assert read.encode(asked) == listed.encode(asked)
    assert [read.decode(NUM_SPECIAL + place) for place in range(len(ids))] == ids


def test_ids_whose_hashes_are_equal_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cove.vocabulary, "_hash", len)
    read = PackedVocabulary.read(pack_vocabulary(["ab", "cd", "x", "ef"]))
    assert read.encode(["ef", "cd", "zz", "x", "ab", "long"]) == ([7, 5, 6, 4], ["zz", "long"])


def test_a_small_vocabulary_is_unpacked_and_a_large_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tensors = pack_vocabulary([50, "a"])
    for most, kind in ((2, Vocabulary), (1, PackedVocabulary)):
        monkeypatch.setattr(cove.vocabulary, "UNPACKED_UP_TO", most)
        read = read_vocabulary(tensors)
        assert type(read) is kind
        assert read.encode(["50", "b", "a"]) == ([4, 5], ["b"])


def test_a_vocabulary_whose_tensors_differ_in_number_is_refused() -> None:
    tensors = pack_vocabulary(["a", "b"])
    with pytest.raises(ValueError, match="differ in number"):
        read_vocabulary(tensors | {"hashes": tensors["hashes"][1:]})


def searching(ids: list, titles: list[str] | None, popularity: list[int]) -> TextSearch:
    return read_search(pack_search(ids, titles, torch.tensor(popularity)))


@pytest.mark.parametrize("at_once", [1, 2, 3, 65536])
def test_a_search_finds_part_of_an_id_or_title_the_most_popular_first(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(cove.search, "_ENTITIES_AT_ONCE", at_once)
    search = searching(["a1", 2, "ÄB", "b"], ["One", "two", "", "a ONE one"], [5, 1, 9, 7])
    found = {text: list(search.rows(text)) for text in ("one", "äb", "B", "a", "2", "", "zz")}
    assert found == {
        "one": [3, 0], "äb": [2], "B": [2, 3], "a": [3, 0], "2": [1], "": [2, 3, 0, 1], "zz": [],
    }  # fmt: skip
    assert search.order.tolist() == [2, 3, 0, 1]


def test_a_search_never_finds_across_an_id_and_a_title_or_two_entities() -> None:
    search = searching(["ab", "cd"], ["ef", "gh"], [2, 1])
    assert [list(search.rows(text)) for text in ("be", "fc", "abef")] == [[], [], []]
    assert list(searching(["ab"], None, [1]).rows("b")) == [0]


def test_texts_that_do_not_fit_their_order_are_refused() -> None:
    tensors = pack_search(["a", "b"], None, torch.tensor([1, 2]))
    with pytest.raises(ValueError, match="end elsewhere"):
        read_search(tensors | {"order": tensors["order"][1:]})
