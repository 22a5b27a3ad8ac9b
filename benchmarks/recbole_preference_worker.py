"""RecBole's side of `preference_training.py`; it runs in RecBole's own environment.

    python recbole_preference_worker.py JOB    (JSON: see `Job` there)

Trains with RecBole's own loader and loop, blocks of batches as the lines on standard input ask,
and answers each line with one line of JSON.
"""

import json
import logging
import math
import random
import sys
import time
from itertools import islice

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

NAMES = {"bprmf": "BPR", "neumf": "NeuMF", "cfkg": "CFKG", "lightgcn": "LightGCN"}
SETTINGS = {
    "bprmf": {"embedding_size": 64},
    "neumf": {
        "mf_embedding_size": 64,
        "mlp_embedding_size": 64,
        "mlp_hidden_size": [128, 64],
        "dropout_prob": 0.1,
    },
    "cfkg": {"embedding_size": 64, "loss_function": "transe", "margin": 1.0},
    "lightgcn": {"embedding_size": 64, "n_layers": 3, "reg_weight": 1e-4, "require_pow": True},
}


class Block:
    """The first batches of a new epoch, in the place of RecBole's loader."""

    def __init__(self, loader: object, rows_an_interaction: int) -> None:
        self.loader, self.rows_an_interaction = loader, rows_an_interaction
        self.size, self.rows = 0, 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self):
        for batch in islice(iter(self.loader), self.size):
            self.rows += len(batch["user_id"]) // self.rows_an_interaction
            yield batch

    def set_mode(self, state: object) -> None:
        """What RecBole's trainer for graphs asks of a loader."""
        self.loader.set_mode(state)


def settings(job: dict, rows_an_interaction: int) -> dict:
    """RecBole's names for what both sides share."""
    both = {
        "data_path": job["folder"],
        "benchmark_filename": ["train", "valid", "test"],
        "seed": job["seed"],
        "reproducibility": True,
        "use_gpu": False,
        "gpu_id": "",
        "state": "CRITICAL",
        "show_progress": False,
        "save_dataset": False,
        "checkpoint_dir": job["folder"],
        "load_col": {"inter": ["user_id", "item_id"]},
        "train_neg_sample_args": {"distribution": "uniform", "sample_num": 1, "dynamic": False},
        "train_batch_size": job["batch"] * rows_an_interaction,
        "eval_batch_size": 1 << 18,
        "learning_rate": job["learning_rate"],
        "metrics": ["NDCG"],
        "topk": [10],
        "valid_metric": "NDCG@10",
        "metric_decimal_place": 6,
        "eval_args": {"group_by": "user", "order": "RO", "mode": "full"},
    }
    if job["recommender"] == "cfkg":
        both["load_col"] |= {
            "kg": ["head_id", "relation_id", "tail_id"],
            "link": ["item_id", "entity_id"],
        }
    return both | SETTINGS[job["recommender"]]


def main() -> None:
    """Answer until standard input ends."""
    job = json.loads(sys.argv[1])
    sys.argv = sys.argv[:1]  # RecBole reads it too
    torch.set_num_threads(1)
    logging.disable(logging.CRITICAL)
    model_name = NAMES[job["recommender"]]
    times = 2 if job["recommender"] == "neumf" else 1  # it has a row for each negative
    config = Config(model=model_name, dataset="preferences", config_dict=settings(job, times))
    init_seed(job["seed"], True)
    dataset = create_dataset(config)
    train, valid, test = data_preparation(config, dataset)
    init_seed(job["seed"], True)
    model = get_model(model_name)(config, train._dataset).to("cpu")
    torch.autograd.set_detect_anomaly(False)
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    random.seed(job["seed"])
    np.random.seed(job["seed"])
    rows = len(train._dataset)
    about = {
        "rows": rows,
        "batches": math.ceil(rows / job["batch"]),
        "parameters": sum(each.numel() for each in model.parameters()),
    }
    print(json.dumps(about), flush=True)
    block, epoch = Block(train, times), 0
    for line in sys.stdin:
        request = json.loads(line)
        if "evaluate" in request:
            loader = {"valid": valid, "test": test}[request["evaluate"]]
            result = trainer.evaluate(loader, load_best_model=False, show_progress=False)
            print(json.dumps({"ndcg_at_10": float(result["ndcg@10"])}), flush=True)
            continue
        block.size, block.rows = request["batches"], 0
        started = time.process_time()
        loss = trainer._train_epoch(block, epoch)
        seconds, epoch = time.process_time() - started, epoch + 1
        answer = {"seconds": seconds, "rows": block.rows, "loss": loss / block.size}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
