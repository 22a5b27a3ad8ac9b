"""The encoder that the Transformers share: where it starts, and what padding may change."""

import pytest
import torch

from cove.recommenders.transformer import TransformerEncoder, TransformerSettings
from cove.vocabulary import PAD

SMALL = TransformerSettings(dimensions=16, layers=2, heads=2, max_length=12)
TABLE = torch.nn.functional.pad(torch.randn(20, 16), (0, 0, 4, 0))  # special ids are zero


def encoder(causal: bool, start: bool = False, **settings: object) -> TransformerEncoder:
    torch.manual_seed(0)
    made = TransformerEncoder(SMALL.model_copy(update=settings), 12, causal).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * (0.0 if start else 0.2))
    return made


@torch.no_grad()
@pytest.mark.parametrize("causal", [False, True])
def test_a_new_encoder_adds_to_each_item_the_average_of_the_list_so_far(causal):
    made = encoder(causal, start=True, layers=1)
    tokens = torch.tensor([[7, 9, 12]])
    own = TABLE[tokens][0]
    normed = torch.nn.functional.layer_norm(own, (16,))
    heads = made.layers[0]
    heads.query_key_value.weight[:32] = 0  # attention is near uniform at the start; here exactly
    counts = torch.arange(1.0, 4)[:, None]
    average = normed.cumsum(0) / counts if causal else normed.mean(0).expand(3, 16)
    expected = torch.nn.functional.layer_norm(own + average, (16,))
    torch.testing.assert_close(made(tokens, TABLE[tokens])[0], expected)


@torch.no_grad()
@pytest.mark.parametrize(
    ("causal", "row"),
    [(True, [7, 9, 12, PAD, PAD]), (False, [7, 9, 12, PAD, PAD]), (False, [7, PAD, 9, PAD, 12])],
)
def test_padding_changes_no_real_position(causal, row):
    made, tokens = encoder(causal), torch.tensor([row])
    alone = torch.tensor([[7, 9, 12]])
    states = made(tokens, TABLE[tokens])[tokens != PAD]
    torch.testing.assert_close(states, made(alone, TABLE[alone])[0])


@torch.no_grad()
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_states_of_a_few_places_are_those_of_the_whole_pass(causal, layers):
    made = encoder(causal, layers=layers)
    tokens = torch.tensor([[7, 9, 12, 5], [8, 6, PAD, PAD]])
    places = torch.tensor([[3, 0], [1, 1]])
    whole = made(tokens, TABLE[tokens])
    few = made(tokens, TABLE[tokens], places)
    torch.testing.assert_close(few, whole.gather(1, places[:, :, None].expand(2, 2, 16)))


@torch.no_grad()
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("places", [None, torch.tensor([[1], [0]])])
def test_attention_written_out_is_that_of_torch(causal, places):
    made = encoder(causal, dropout=0.0)
    tokens = torch.tensor([[7, 9, 12], [8, PAD, PAD]])
    fused = made(tokens, TABLE[tokens], places)
    made.train()
    for layer in made.layers:
        layer.attention_dropout = 1e-9  # written out, but nothing is dropped
    torch.testing.assert_close(made(tokens, TABLE[tokens], places), fused)


def test_attention_dropout_changes_training_alone():
    made, tokens = encoder(False, dropout=0.0, attention_dropout=0.5), torch.tensor([[7, 9, 12]])
    torch.testing.assert_close(made(tokens, TABLE[tokens]), made(tokens, TABLE[tokens]))
    made.train()
    assert not torch.allclose(made(tokens, TABLE[tokens]), made(tokens, TABLE[tokens]))
