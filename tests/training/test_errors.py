"""What torch and Python say where memory runs out is one sentence."""

import pytest
import torch

from training.errors import TrainingError, enough_memory


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MemoryError(), "there is not enough memory: lower "),
        (
            torch.OutOfMemoryError(
                "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of "
                "15.77 GiB of which 1.20 GiB is free."
            ),
            "there is not enough memory (tried to allocate 20.00 GiB): lower ",
        ),
    ],
)
def test_a_full_memory_is_one_sentence(error: Exception, sentence: str) -> None:
    with pytest.raises(TrainingError) as raised, enough_memory():
        raise error
    assert str(raised.value).startswith(sentence)


def test_memory_that_this_machine_lacks_is_one_sentence() -> None:
    said = "tried to allocate 400000000000000 bytes"
    with pytest.raises(TrainingError, match=said), enough_memory():
        torch.empty(10**14)


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(RuntimeError, match=r"^must match$"), enough_memory():
        raise RuntimeError("must match")
