"""RecBole's side of `sequential_training.py`; it runs in RecBole's own environment.

    python recbole_worker.py JOB    (JSON: see `Job` there)

Trains with RecBole's own loader and loop, blocks of batches as the lines on standard input ask,
and answers each line with one line of JSON.
"""

import json
import logging
import random
import sys
import time

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

NAMES = {"sasrec": "SASRec", "gru4rec": "GRU4Rec", "bert4rec": "BERT4Rec"}


class Block:
    """The next batches of an endless run over the training rows, as one epoch of RecBole's loop."""

    def __init__(self, loader: object, batch: int) -> None:
        self.loader, self.batch, self.shuffle = loader, batch, False
        self.batches, self.size, self.rows = iter(loader), 0, 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self):
        for _ in range(self.size):
            batch = next(self.batches, None)
            if batch is None:
                self.batches = iter(self.loader)
                batch = next(self.batches)
            self.rows += self.batch
            yield batch


def shared_settings(job: dict) -> dict:
    """RecBole's names for what any benchmark asks of it."""
    return {
        "data_path": job["folder"],
        "seed": job["seed"],
        "reproducibility": True,
        "use_gpu": False,
        "gpu_id": "",
        "state": "CRITICAL",
        "show_progress": False,
        "save_dataset": False,
        "checkpoint_dir": job["folder"],
        "learning_rate": job["learning_rate"],
        "metrics": ["NDCG"],
        "topk": [10],
        "valid_metric": "NDCG@10",
    }


def settings(job: dict) -> dict:
    """RecBole's names for what both sides share."""
    dropout, layers = job["dropout"], job["layers"]
    both = shared_settings(job) | {
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "MAX_ITEM_LIST_LENGTH": job["length"],
        "train_neg_sample_args": None,
        "loss_type": "CE",
        "train_batch_size": job["batch"],
        "eval_batch_size": 2048,
        "metric_decimal_place": 5,
        "eval_args": {
            "split": {"LS": "valid_and_test"},
            "group_by": "user",
            "order": "TO",
            "mode": "full",
        },
    }
    if job["recommender"] == "gru4rec":
        sizes = {"embedding_size": 64, "hidden_size": 64, "num_layers": layers}
        return both | sizes | {"dropout_prob": dropout}
    sizes = {"n_layers": layers, "n_heads": 8, "hidden_size": 64, "inner_size": 256}
    dropouts = {"hidden_dropout_prob": dropout, "attn_dropout_prob": dropout}
    masks = {"mask_ratio": 0.2, "ft_ratio": 0.1} if job["recommender"] == "bert4rec" else {}
    return both | sizes | dropouts | masks


def read_job() -> dict:
    """The job that the command line holds, for one thread and in silence."""
    job = json.loads(sys.argv[1])
    sys.argv = sys.argv[:1]  # RecBole reads it too
    torch.set_num_threads(1)
    logging.disable(logging.CRITICAL)
    return job


def build(job: dict, model_name: str, dataset_name: str, values: dict) -> tuple:
    """RecBole's trainer with a new model, and the loaders train, valid and test."""
    config = Config(model=model_name, dataset=dataset_name, config_dict=values)
    init_seed(job["seed"], True)
    loaders = data_preparation(config, create_dataset(config))
    init_seed(job["seed"], True)
    model = get_model(model_name)(config, loaders[0]._dataset).to("cpu")
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    random.seed(job["seed"])
    np.random.seed(job["seed"])
    return trainer, loaders


def answer_requests(trainer: object, block: object, loaders: tuple, about: dict) -> None:
    """Say what there is to train on, then answer until standard input ends.

    block: the training batches; a request sets its `size`, and it counts its `rows`.
    """
    print(json.dumps(about), flush=True)
    _, valid, test = loaders
    epoch = 0
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


def main() -> None:
    """Answer until standard input ends."""
    job = read_job()
    trainer, loaders = build(job, NAMES[job["recommender"]], "lists", settings(job))
    if not job["as_shipped"]:  # importing any sequential model turns it on, by way of SINE's file
        torch.autograd.set_detect_anomaly(False)
    about = {"rows": len(loaders[0].dataset), "torch": torch.__version__}
    answer_requests(trainer, Block(loaders[0], job["batch"]), loaders, about)


if __name__ == "__main__":
    main()
