"""BERT4Rec: what is masked in training, and completion item by item."""

import pytest
import torch
from torch import Tensor

from cove.batches import ListBatch, pad_lists
from cove.quantization import QuantizerSettings
from cove.recommenders.bert4rec import Bert4Rec, Bert4RecSettings
from cove.vocabulary import MASK, NUM_SPECIAL, PAD
from tests.cove.worlds import build

NUM_ITEMS = 30
BATCH = ListBatch(pad_lists([[4, 5, 6], [7], []]), pad_lists([[10, 11], [12], [13, 14]]))
WHOLE = [[4, 5, 6, 10, 11], [7, PAD, PAD, 12, PAD], [PAD, PAD, PAD, 13, 14]]


def bert4rec(**settings: object) -> Bert4Rec:
    made = build("bert4rec", NUM_ITEMS, QuantizerSettings(code_sizes=(8, 4)), **settings)
    assert isinstance(made, Bert4Rec)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return made


def tokens_of(made: Bert4Rec) -> list[Tensor]:
    """A list to which every later pass adds the tokens that the encoder was given."""
    seen: list[Tensor] = []
    made.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    return seen


def given(*rows: list[int]) -> ListBatch:
    return ListBatch(pad_lists(rows), torch.zeros((len(rows), 0), dtype=torch.int64))


def by_hand(made: Bert4Rec, items: list[int], taken: int) -> tuple[list[int], list[float], Tensor]:
    """Append a mask, score its place, feed the best new item back; the last step's scores too."""
    table, chosen, values = made.items.all(), [], []
    scores = torch.empty(0)
    for _ in range(taken):
        tokens = torch.tensor([[*items, *chosen, MASK]])
        state = made.encoder(tokens, table[tokens])[0, -1]
        scores = table[NUM_SPECIAL:] @ state + made.head.bias
        for index in (*items, *chosen):
            scores[index - NUM_SPECIAL] = -torch.inf
        chosen.append(int(scores.argmax()) + NUM_SPECIAL)
        values.append(float(scores.max()))
    return chosen, values, scores


@torch.no_grad()
@pytest.mark.parametrize("items", [[4, 5, 6], [20], []])
def test_each_chosen_item_is_fed_back_before_the_next_is_chosen(items):
    made = bert4rec()
    chosen, values, _ = by_hand(made, items, 6)
    completed, scores = made.complete(given(items), 6)
    assert completed[0].tolist() == chosen
    assert scores[0].tolist() == pytest.approx(values, rel=1e-4, abs=1e-5)


def test_completing_many_items_is_completing_one_again_and_again():
    made, rows = bert4rec(), [[4, 5, 6], [7], []]
    together = made.complete(given(*rows), 4)[0]
    for _ in range(4):
        best = made.complete(given(*rows), 1)[0]
        rows = [[*row, int(item)] for row, item in zip(rows, best, strict=True)]
    assert together.tolist() == [row[-4:] for row in rows]


@torch.no_grad()
def test_after_the_most_generated_items_the_last_steps_scores_rank_the_rest():
    made = bert4rec(max_generated=3)
    chosen, _, last = by_hand(made, [4, 5], 3)
    rest = last.argsort(descending=True)[:5] + NUM_SPECIAL  # its best is the third chosen
    assert made.complete(given([4, 5]), 7)[0][0].tolist() == chosen[:2] + rest.tolist()


def test_one_pass_is_made_for_each_generated_item_with_the_mask_behind_each_list():
    made = bert4rec()
    seen = tokens_of(made)
    first, second = made.complete(given([4, 5], [7]), 2)[0].tolist()
    assert [tokens.tolist() for tokens in seen] == [
        [[4, 5, MASK], [7, MASK, PAD]],
        [[4, 5, first[0], MASK], [7, second[0], MASK, PAD]],
    ]


def test_a_long_list_keeps_its_last_items_and_leaves_room_for_the_generated_ones():
    made = bert4rec()  # max_length 12
    seen = tokens_of(made)
    made.complete(given(list(range(4, 24))), 3)
    assert seen[0].tolist() == [[*range(15, 24), MASK]]


def test_last_only_masks_each_lists_last_item():
    made = bert4rec(last_only=1.0)
    seen = tokens_of(made)
    prediction = made.predict(BATCH)
    assert prediction.targets.tolist() == [11, 12, 14]
    masked = [[MASK if token in (11, 12, 14) else token for token in row] for row in WHOLE]
    assert seen[0].tolist() == masked


def test_otherwise_items_are_masked_at_random_by_their_share():
    made = bert4rec(last_only=0.0, masking=0.3)
    seen = tokens_of(made)
    torch.manual_seed(0)
    made.predict(ListBatch(torch.full((400, 10), 4), torch.full((400, 10), 5)))
    assert (seen[0] == MASK).float().mean().item() == pytest.approx(0.3, abs=0.02)


def test_every_list_has_an_item_masked_its_last_one_where_chance_took_none():
    made = bert4rec(last_only=0.0, masking=1e-9)
    assert made.predict(BATCH).targets.tolist() == [11, 12, 14]


def test_everything_but_padding_can_be_masked():
    made = bert4rec(last_only=0.0, masking=1.0)
    assert made.predict(BATCH).targets.tolist() == [4, 5, 6, 10, 11, 7, 12, 13, 14]


def test_about_a_tenth_of_the_batches_mask_the_last_item_alone():
    made = bert4rec(masking=1.0)
    torch.manual_seed(0)
    alone = sum(len(made.predict(BATCH).targets) == 3 for _ in range(300))
    assert 15 <= alone <= 45


@pytest.mark.parametrize("name", ["masking", "last_only", "max_generated"])
def test_settings_out_of_range_are_refused_by_name(name):
    with pytest.raises(ValueError, match=name):
        Bert4RecSettings(**{name: -1})


def test_heads_that_do_not_divide_the_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"heads must divide dimensions \(16\): got 3"):
        Bert4RecSettings(dimensions=16, heads=3)
