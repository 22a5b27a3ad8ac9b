"""External ids to indices and back."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from cove.errors import DataError
from cove.vocabulary import CLS, MASK, NUM_SPECIAL, PAD, SEP, Vocabulary


def test_the_special_indices_come_first_and_the_first_entity_right_after():
    assert sorted((PAD, MASK, CLS, SEP)) == list(range(NUM_SPECIAL))
    assert Vocabulary(["a", "b"]).encode(["b", "a"]) == ([NUM_SPECIAL + 1, NUM_SPECIAL], [])


def test_a_number_and_its_text_are_one_id_whichever_the_data_held():
    numbers, texts = Vocabulary([50, 7]), Vocabulary(["50", "7"])
    for vocabulary in (numbers, texts):
        assert vocabulary.index_of(50) == vocabulary.index_of("50") == NUM_SPECIAL
    assert (numbers.decode(NUM_SPECIAL), texts.decode(NUM_SPECIAL)) == (50, "50")


def test_unknown_ids_are_handed_back_in_their_order():
    known, unknown = Vocabulary([1, 2]).encode(["x", 2, "y", 1, "x"])
    assert known == [NUM_SPECIAL + 1, NUM_SPECIAL]
    assert unknown == ["x", "y", "x"]
    assert Vocabulary([1]).index_of("01") is None


@pytest.mark.parametrize("ids", [["a", "b", "a"], [50, "50"]])
def test_an_id_that_occurs_twice_is_refused_by_name(ids):
    with pytest.raises(DataError, match=f"must be unique: '{ids[0]}' occurs twice"):
        Vocabulary(ids)


@given(st.lists(st.integers() | st.text(), unique_by=str))
def test_any_ids_keep_their_order_and_decode_to_what_was_encoded(ids):
    vocabulary = Vocabulary(ids)
    indices, unknown = vocabulary.encode(ids)
    assert indices == list(range(NUM_SPECIAL, NUM_SPECIAL + len(vocabulary)))
    assert unknown == []
    assert [vocabulary.decode(index) for index in indices] == ids == vocabulary.ids
