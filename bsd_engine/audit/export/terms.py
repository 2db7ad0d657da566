"""The terms of the report, explained; those that docs/glossary.md has are explained in its words."""

from __future__ import annotations

from html import escape

from bsd_engine.audit.export.page import section

GLOSSARY = {
    "backdoor": "A habit hidden in a network: it answers as it should until an image carries the trigger, then it "
    "answers what the attacker chose.",
    "trigger": "The small change, a patch or a pattern, that the attacker puts into an image.",
    "target label": "The class that the attacker wants images with the trigger to be called.",
    "suspected class": "The samples labelled with the suspected target class.",
    "altruistic model": "A second network that learns everything, poison too, so that the main model need not. It is "
    "thrown away after the training.",
    "main model": "The network that is to be used in the end. It learns labels from the clean pool only.",
    "clean pool": "The samples that are trusted now: the main model learns from their labels.",
    "warm-up": "The part of a run before the samples are first split: first the altruistic model learns everything, "
    "then the main model learns all classes but the suspected one.",
    "estimator": "A rule that scores every class by how much it looks like the target. The class with the highest "
    "score is its answer.",
    "loss discrepancy": "Altruistic loss minus main loss. Poison is easy for the altruistic model and hard for the "
    "main one, so its discrepancy is negative.",
}
"""As in docs/glossary.md."""
REPORT = {
    "poison": "Training images with a trigger that an attacker has put into the set.",
    "evidence, z": "How far the likeliest class differs from the others: z is 0 for an ordinary class. Each estimator "
    "that names the same class adds 1 to the evidence.",
    "asking": "The target is looked for up to three times: at the end of the altruistic warm-up, at T1 and in the last "
    "epoch.",
    "suspect score": "How suspect the record of a sample is, near 0 for most. It is near 1 or above if the altruistic "
    "model knows a label that the main model contradicts, or if the sample very probably carries the trigger.",
    "stands apart": "An image stands apart if it is more likely poison than not, by the attack that the verdict names.",
    "T1": "The epoch at which the first clean pool is decided. Nothing is known about single images before it.",
    "flags": "Reasons for which a sample is kept out of the clean pool. ALS: its altruistic loss is small. OSS: it "
    "lies close to another class. Discrepancy: its loss discrepancy is too low. Drop: both models call it by the "
    "suspected class.",
}
"""Terms of the report alone."""


def definitions() -> str:
    """The terms as a section of the report, in the order of the alphabet."""
    terms = sorted((GLOSSARY | REPORT).items(), key=lambda item: item[0].lower())
    rows = "".join(f"<div><dt>{escape(term)}</dt><dd>{escape(words)}</dd></div>" for term, words in terms)
    return section("Words used in this report", f'<dl class="terms">{rows}</dl>')
