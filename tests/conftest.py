"""What several test modules have in common."""

from collections.abc import Iterator

import pytest
import torch

from bsd_engine import runtime


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread a model: on a busy machine, threads that wait for each other take ten times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtime, "available_threads", lambda: 1)
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def summary_keys() -> set[str]:
    """What other people's scripts expect in summary.json."""
    return {
        "status", "preset", "data", "attack", "device", "seconds", "epochs", "clean_accuracy", "attack_success_rate", "pseudo_target",
        "true_target", "clean_pool_size", "poison_in_clean_pool",
    }
