"""RecBole's side of click_quality.py, in RecBole's own environment: a process that is told what to
train by one JSON line and answers with each epoch's AUC."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset
from recbole.data.interaction import Interaction
from recbole.utils import get_model


def area(scores: np.ndarray, labels: np.ndarray) -> float:
    """AUC, ties counting half, by the rank sum."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positives = labels.sum()
    total = ranks[labels > 0].sum() - positives * (positives + 1) / 2
    return float(total / (positives * (len(labels) - positives)))


def main() -> None:
    """Train and answer."""
    job = json.loads(sys.argv[1])
    torch.set_num_threads(job["threads"])
    settings = {
        "data_path": job["folder"], "load_col": {"inter": ["user_id", "item_id", "label"]},
        "embedding_size": job["dimensions"], "mlp_hidden_size": job["widths"],
        "dropout_prob": job["dropout"], "cross_layer_num": 3, "reg_weight": 0, "use_gpu": False,
        "show_progress": False, "state": "ERROR",
        "eval_args": {"split": {"RS": [0.8, 0.1, 0.1]}, "mode": "labeled", "order": "RO",
                      "group_by": None},
    }  # fmt: skip
    sys.argv = sys.argv[:1]  # RecBole reads the command line too
    config = Config(model=job["model"], dataset="clicks", config_dict=settings)
    dataset = create_dataset(config)
    torch.autograd.set_detect_anomaly(False)
    arrays = np.load(Path(job["folder"], "splits.npz"))
    parts = {}
    for name in ("train", "valid", "test"):
        users, items, labels = arrays[name].T
        parts[name] = Interaction(
            {
                "user_id": torch.tensor(dataset.token2id("user_id", users.astype(str))),
                "item_id": torch.tensor(dataset.token2id("item_id", items.astype(str))),
                "label": torch.tensor(labels, dtype=torch.float32),
            }
        )
    torch.manual_seed(job["seed"])
    model = get_model(job["model"])(config, dataset)
    optimizer = torch.optim.Adam(model.parameters(), lr=job["learning_rate"])
    train, answers, seconds = parts["train"], [], 0.0
    for _ in range(job["epochs"]):
        model.train()
        started = time.process_time()
        for rows in torch.randperm(len(train["label"])).split(job["batch"]):
            optimizer.zero_grad()
            model.calculate_loss(train[rows]).backward()
            optimizer.step()
        seconds += time.process_time() - started
        model.eval()
        with torch.no_grad():
            scores = {name: model.predict(parts[name]).numpy() for name in ("valid", "test")}
        answers.append({n: area(s, parts[n]["label"].numpy()) for n, s in scores.items()})
    rows = job["epochs"] * len(train["label"])
    print(json.dumps({"epochs": answers, "microseconds": seconds / rows * 1e6}))


if __name__ == "__main__":
    main()
