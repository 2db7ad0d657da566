"""Estimators of the target label, which read nothing but the outputs of the altruistic model and the given labels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bsd_engine.target import votes

CLASSES, TARGET = 6, 4


@pytest.fixture
def labels() -> Tensor:
    """60 given labels, ten of each class."""
    return torch.arange(60) % CLASSES


@pytest.fixture
def sound_logits(labels: Tensor) -> Tensor:
    """Confident predictions of the given label, without a clear runner-up."""
    logits = torch.randn(60, CLASSES, generator=torch.Generator().manual_seed(0))
    logits[torch.arange(60), labels] += 20
    return logits


@pytest.fixture
def backdoored_logits(sound_logits: Tensor, labels: Tensor) -> Tensor:
    """The same, with the target as the runner-up of every other class."""
    return sound_logits.index_put((labels != TARGET, torch.tensor(TARGET)), torch.tensor(10.0), accumulate=True)


@pytest.fixture
def confused_logits(sound_logits: Tensor, labels: Tensor) -> Tensor:
    """The same, with class 2 as the runner-up of its look-alikes 0 and 1."""
    return sound_logits.index_put((labels < 2, torch.tensor(2)), torch.tensor(10.0), accumulate=True)


# --- the paper's vote ---


def test_the_planted_runner_up_wins_the_vote(backdoored_logits: Tensor) -> None:
    counts = votes.second_likely_counts(backdoored_logits)
    assert counts.shape == (CLASSES,) and counts.dtype == torch.int64 and counts.sum() == 60
    assert counts.argmax() == TARGET and counts[TARGET] == 50
    assert votes.second_logit_votes(counts[None]).argmax() == TARGET


def test_an_epochs_vote_is_its_most_frequent_runner_up() -> None:
    counts = torch.tensor([[9, 1, 5], [0, 8, 7], [0, 8, 7]])
    scores = votes.second_logit_votes(counts)
    assert scores.dtype == torch.float32 and scores.floor().tolist() == [1, 2, 0] and scores.argmax() == 1


def test_equal_votes_go_to_the_larger_count_over_all_epochs() -> None:
    assert votes.second_logit_votes(torch.tensor([[6, 5, 0], [0, 5, 4]])).argmax() == 1


def test_equal_votes_and_counts_go_to_the_lower_index() -> None:
    assert votes.second_logit_votes(torch.tensor([[0, 6, 4], [0, 4, 6]])).argmax() == 1


def test_within_an_epoch_equal_counts_go_to_the_lower_index() -> None:
    assert votes.second_logit_votes(torch.tensor([[1, 5, 5]])).floor().tolist() == [0, 1, 0]


def test_many_counts_without_a_vote_are_less_than_one_vote() -> None:
    scores = votes.second_logit_votes(torch.tensor([[50, 49], [50, 49], [50, 49], [0, 99]]))
    assert scores.floor().tolist() == [3, 1]


def test_with_two_classes_the_runner_up_is_the_other_one() -> None:
    logits = torch.tensor([[3.0, 1.0], [0.0, 2.0], [5.0, 1.0]])
    assert votes.second_likely_counts(logits).tolist() == [1, 2]


# --- probability floor ---


def floor_scores(logits: Tensor, labels: Tensor) -> Tensor:
    return votes.probability_floor_scores(votes.log_probability_floor(logits, labels)[None])


def test_the_floor_is_a_low_quantile_over_the_samples_of_other_classes(
    backdoored_logits: Tensor, labels: Tensor
) -> None:
    floors = votes.log_probability_floor(backdoored_logits, labels, quantile=0.1)
    for c in range(CLASSES):
        log_p = sorted(backdoored_logits.log_softmax(1)[labels != c, c].tolist())
        assert log_p[4] <= floors[c] <= log_p[5]  # 0.1 of the way from the first to the last of 50


def test_the_target_has_the_highest_floor(backdoored_logits: Tensor, labels: Tensor) -> None:
    scores = floor_scores(backdoored_logits, labels)
    assert scores.argmax() == TARGET and scores[TARGET] > 1000 * scores[[0, 1, 2, 3, 5]].max()


def test_look_alikes_win_the_vote_but_do_not_lift_the_floor(
    sound_logits: Tensor, confused_logits: Tensor, labels: Tensor
) -> None:
    assert votes.second_likely_counts(confused_logits).argmax() == 2
    before, after = (votes.log_probability_floor(x, labels) for x in (sound_logits, confused_logits))
    assert (after - before).abs().max() < 1  # nats; two fifths of the samples were raised by 10


def test_floors_of_several_epochs_are_averaged_as_logarithms() -> None:
    floors = torch.tensor([[0.1, 0.4], [0.9, 0.4]]).log()
    torch.testing.assert_close(votes.probability_floor_scores(floors), torch.tensor([0.3, 0.4]))


def test_a_class_that_all_samples_are_labelled_with_is_no_suspect() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0], [2.0, 0.0, 1.0]])
    scores = floor_scores(logits, torch.zeros(2, dtype=torch.int64))
    assert scores[0] == 0 and (scores[1:] > 0).all()


def test_two_classes_can_be_told_apart_by_their_floors() -> None:
    logits, labels = torch.tensor([[9.0, 0.0], [9.0, 0.0], [4.0, 5.0], [4.0, 5.0]]), torch.tensor([0, 0, 1, 1])
    assert floor_scores(logits, labels).argmax() == 0


# --- the estimators of appendix D.3 ---


def test_the_lowest_losses_vote_with_their_labels(labels: Tensor) -> None:
    logits = torch.zeros(600, CLASSES)
    many = labels.repeat(10)
    learned = (many == TARGET).nonzero().squeeze(1)[:6]
    logits[learned, TARGET] = 9.0
    counts = votes.low_loss_label_counts(logits, many)
    assert counts.tolist() == [6 * (c == TARGET) for c in range(CLASSES)]
    assert votes.low_loss_label_counts(logits[:60], labels).sum() == 1


def test_labels_are_counted() -> None:
    assert votes.label_counts(torch.tensor([3, 3, 1]), 5).tolist() == [0, 1, 0, 2, 0]


def test_counted_labels_are_compared_with_the_known_class_sizes() -> None:
    counts = torch.tensor([900, 140, 60])
    assert votes.label_excess(counts, (90, 10, 6)).argmax() == 1
    even = votes.label_excess(counts)
    assert even.argmax() == 0 and even[0] == pytest.approx((900 - 1100 / 3) / (1100 / 3) ** 0.5)


def test_equal_labels_leave_the_lower_class() -> None:
    assert votes.estimate("label_count", {"label_count": torch.tensor([[5, 9, 9, 1]])}).argmax() == 1


def test_the_median_rises_for_a_class_that_most_others_are_near(
    backdoored_logits: Tensor, confused_logits: Tensor, labels: Tensor
) -> None:
    assert votes.median_log_probability(backdoored_logits, labels).argmax() == TARGET
    confused = votes.median_log_probability(confused_logits, labels)
    assert confused[2] < votes.median_log_probability(backdoored_logits, labels)[TARGET] - 5


@pytest.mark.parametrize(
    ("estimator", "winner"),
    [
        ("second_logit_mode", 1),
        ("probability_floor", 2),
        ("low_loss_mode", 3),
        ("lga_vote", 3),
        ("label_count", 4),
        ("given", 5),
        ("median_probability", 0),
    ],
)
def test_an_estimator_reads_its_own_clue(estimator: str, winner: int) -> None:
    rows = torch.eye(CLASSES, dtype=torch.int64)
    clues = {
        "second_likely": rows[[1, 1, 0]],
        "floor": rows[[2, 2, 2]].log(),
        "low_loss": rows[[0, 0, 3]],
        "label_count": rows[[4, 4, 4]],
        "median": rows[[0, 0, 0]].log(),
    }
    assert votes.estimate(estimator, clues, assumed=5).argmax() == winner


def test_every_clue_has_a_value_for_every_class(backdoored_logits: Tensor, labels: Tensor) -> None:
    for clue in votes.CLUES.values():
        assert clue(backdoored_logits, labels).shape == (CLASSES,)


def test_every_estimator_that_reads_logits_has_a_score_for_every_class(
    backdoored_logits: Tensor, labels: Tensor
) -> None:
    clues = {name: clue(backdoored_logits, labels)[None] for name, clue in votes.CLUES.items()}
    for name in votes.READ_FROM_LOGITS:
        assert votes.estimate(name, clues).shape == (CLASSES,)
