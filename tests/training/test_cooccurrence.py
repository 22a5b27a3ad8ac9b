"""Codes from co-occurrence: the spectral embedding by hand, planted groups found in every task."""

from pathlib import Path

import torch

from cove.artifact import read_artifact
from tests.training.worlds import CLICKS_SMALL, SMALL, Watcher, planted_clicks, planted_file, run_at
from training.cooccurrence import spectral_embeddings
from training.resolving import resolve

COOCCURRENCE: dict[str, object] = {
    "form": "default", "initialization": "kmeans", "epochs": 1, "shrinkage": 0.01,
    "code_prediction_weight": 0.0,
}  # fmt: skip


def test_entities_with_the_same_partners_have_the_same_embedding() -> None:
    # Owners 0 and 1 have items 0 and 1, owner 2 has items 2 and 3 (the last twice), 4 nobody.
    owners = torch.tensor([0, 0, 1, 1, 2, 2, 2])
    items = torch.tensor([0, 1, 0, 1, 2, 3, 3])
    of_owners, of_items = spectral_embeddings(owners, items, (3, 5), 0, dimensions=2)
    # Two blocks, each of rank one with the singular value 1: a block is a point, at a right angle.
    expected = torch.block_diag(torch.ones(2, 2), torch.ones(2, 2), torch.zeros(1, 1))
    torch.testing.assert_close(of_items @ of_items.t(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        of_owners @ of_items.t(),
        torch.tensor([[1.0, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 1, 0]]),
        atol=1e-5, rtol=0,
    )  # fmt: skip


def test_the_seed_alone_decides_the_embeddings() -> None:
    draw = torch.Generator().manual_seed(0)
    owners, items = (torch.randint(30, (300,), generator=draw) for _ in range(2))
    one, same = (spectral_embeddings(owners, items, (30, 30), 0) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))


def test_a_single_owner_leaves_nothing_to_tell_items_apart() -> None:
    of_owners, of_items = spectral_embeddings(torch.tensor([0, 0]), torch.tensor([0, 1]), (1, 2), 0)
    assert of_owners.abs().sum() == of_items.abs().sum() == 0


def test_lists_of_planted_groups_give_each_group_a_code(tmp_path: Path) -> None:
    file = planted_file(tmp_path)
    settings = resolve("bag", str(file), (4,), 0, {
        **{k: v for k, v in SMALL.items() if k not in {"heads", "layers"}}, **COOCCURRENCE,
    })  # fmt: skip
    one = run_at(tmp_path / "one", settings)
    items = read_artifact(tmp_path / "one").items
    codes = items.codes[:, 0].tolist()
    groups = [int(item) // 20 for item in items.vocabulary.ids]
    assert len(set(zip(groups, codes, strict=True))) == len(set(codes)) == 4
    assert run_at(tmp_path / "two", settings).hash == one.hash


def test_users_and_items_of_clicks_get_theirs_and_no_more_than_they_can_fill(
    tmp_path: Path,
) -> None:
    file = planted_clicks(tmp_path)
    values = CLICKS_SMALL | COOCCURRENCE
    del values["code_prediction_weight"]
    settings = resolve("deepfm", str(file), (900,), 0, values, user_code_sizes=(2,))
    watcher = Watcher()
    manifest = run_at(tmp_path / "made", settings, watcher)
    assert watcher.warnings[0] == "the items are too few for 900 codes: they get 26"
    assert manifest.quantizers["item"]["code_sizes"] == [26]  # of 40
    users = read_artifact(tmp_path / "made").users
    assert users is not None
    parity = [int(str(user)[1:]) % 2 for user in users.vocabulary.ids]
    found = set(zip(parity, users.codes[:, 0].tolist(), strict=True))
    assert len(found) == 2
