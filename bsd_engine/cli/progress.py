"""Progress bars of the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tqdm import tqdm  # type: ignore[import-untyped]  # tqdm comes without types

from bsd_engine.events import EpochFinished, IterationDone, RunFinished, RunStarted


class EpochBar:
    """A progress bar over the epochs of a run, advanced by each iteration and followed by the newest metrics; called
    with each event."""

    def __init__(self, total: int | None = None) -> None:
        """`total` : number of epochs that will run, if it is smaller than in the run's settings."""
        self._bar: tqdm | None = None
        self._total = total

    def __call__(self, event: object) -> None:
        if isinstance(event, RunStarted):
            self._bar = tqdm(
                total=self._total or event.total_epochs,
                initial=event.first_epoch,
                unit="epoch",
                dynamic_ncols=True,
                mininterval=0.5,
                bar_format="{l_bar}{bar}| {n:.1f}/{total} epochs [{elapsed}<{remaining}]{postfix}",
            )
        elif self._bar is None:
            return
        elif isinstance(event, IterationDone):
            self._bar.n = event.epoch + event.iteration / event.iterations
            self._bar.set_description(event.stage.replace("_", " "), refresh=False)
            self._bar.update(0)
        elif isinstance(event, EpochFinished):
            self._bar.n = event.state.epoch + 1
            self._bar.set_postfix(_postfix(event.state.metrics), refresh=True)
        elif isinstance(event, RunFinished):
            self.close()

    def close(self) -> None:
        """Leave the bar in place, so that the next line of output appears below it."""
        if self._bar is not None:
            self._bar.close()


def _postfix(metrics: Mapping[str, float | int | None]) -> dict[str, str]:
    """Return CA, ASR and the number of poisoned samples in the clean pool, as far as they are known."""
    rates = {"CA": metrics.get("clean_accuracy"), "ASR": metrics.get("attack_success_rate")}
    result = {name: f"{rate:.1f}%" for name, rate in rates.items() if rate is not None}
    if metrics.get("poison_in_clean_pool") is not None:
        result["poison in pool"] = str(metrics["poison_in_clean_pool"])
    return result


def epoch_bar(epochs: Iterable[int]) -> Iterable[int]:
    """Return the epoch numbers, with a progress bar."""
    return tqdm(epochs, unit="epoch")


def image_bar(numbers: Iterable[int]) -> Iterable[int]:
    """Return the image numbers, with a progress bar that disappears at the end."""
    return tqdm(numbers, unit="image", leave=False, mininterval=0.5)


def step_bar(steps: range, what: str) -> Iterable[int]:
    """Return the steps of a preparation, with a progress bar on terminals that disappears at the end."""
    return tqdm(steps, desc=what, leave=False, disable=None)
