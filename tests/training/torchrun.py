"""Several processes of one run, as a person starts them."""

import os
import subprocess
import sys

WORKER = ("-m", "tests.training.parallel_runs")


def torchrun(*arguments: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """Run a script, or with `-m` a module, in so many processes of this machine."""
    call = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    call += ["--nproc-per-node", str(processes), *arguments]
    variables = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.run(call, env=variables, capture_output=True, text=True, check=False)
