"""Every text of the page Attacks: its form, the sentence on what was done, and what stands around the images."""

from __future__ import annotations

from app.attacks.poisoned_view import Kind
from app.style import words
from app.style.theme import count, percent

# -- form ------------------------------------------------------------------------------------------

FORM_TITLE = "**Attack**"
DATA, PATH, ATTACK = "Data", "Path", "Attack"
PATH_HELP = "A folder with train/CLASS/*.png and, if there is a test set, test/CLASS/*.png; or an .npz file."
PATH_EXAMPLES = {"folder": "/home/me/images", "npz": "/home/me/images.npz"}
TARGET_CLASS = "Target class"
TARGET_NUMBER_HELP = "Number of the class, starting at 0."
NO_TARGET_HELP = "This attack has no target class: every class is sent to the next one."
RATE = "Poisoning rate, %"
RATE_HELP = (
    "Share of the images of the other classes that get the trigger (source-specific patch: of the source class): "
    "above 0 %, at most 90 %."
)
CLEAN_RATE = "Poisoned share of the target class, %"
CLEAN_RATE_HELP = (
    "Share of the target class that gets the trigger: above 0 %, at most 90 %. This attack changes no label."
)
LIMIT = "Training images"
LIMIT_HELP = "Drawn so that every class keeps its share."
ALL_IMAGES = "all"
SEED = "Seed"
SEED_HELP = "Decides which images are poisoned, and the random parts of the trigger."
CHOSEN_BY_ATTACK = "chosen by the attack"
PARAMETER_NAMES = {"col": "Column", "eps": "Epsilon (largest change)"}
PARAMETER_UNITS = (
    (r", pixels\b|^(Row|Column) of", "pixels"),
    (r", grey levels\b", "grey levels"),
    (r", 0 to 1\b|^Share of", "0 to 1"),
    (r"^Periods", "periods"),
    (r"^Control points", "points per side"),
    (r"^Number of scenes", "scenes"),
    (r"^(Number of e|E)pochs|, epochs\b", "epochs"),
)
"""Patterns in a parameter's help, and the unit that each tells."""
TRIGGER_IMAGE = "Trigger image"
TRIGGER_IMAGE_HELP = "A small PNG or JPEG file; transparent parts stay invisible. Without one, a drawn star is used."
USE_STAR = "Use the star instead"
UPLOADED = "The uploaded image"


def bad_rate(rate: float | None, highest: float) -> str:
    """For a poisoning rate that is missing or out of range."""
    given = "not given" if rate is None else f"{rate:g} %"
    return f"The poisoning rate is {given}, expected more than 0 % and at most {highest:g} %; change it."


# -- head ------------------------------------------------------------------------------------------

TRAIN = "Train with this attack"
TRAIN_HELP = "Fills in the launch form of the page Run; press Start there."
DOWNLOAD_HELP = (
    "Training images, test images and triggered test images, with given and original labels. To train on the file, "
    "choose npz:PATH as the data."
)
COMMAND = "Command"
COMMAND_HELP = "Saves the same set in a terminal, also as a folder of PNG files."
COMMAND_NOTE = "This command saves the same set. A file name without *.npz* makes a folder of PNG files."


def poisoning(limit: int | None, attack: str) -> str:
    """While the set is being poisoned."""
    return f"Poisoning {f'up to {count(limit)}' if limit else 'all'} images with {attack}"


def crafting(what: str, step: int, steps: int) -> str:
    """While the attack trains a network of its own."""
    return f"Crafting the trigger: {what}, step {step} of {steps}. It is kept for the next time."


def download(size: int) -> str:
    """Label of the button; size in bytes."""
    return f"Download .npz ({size / 1e6:.0f} MB)"


def too_large(size: int) -> str:
    """Where a browser cannot download the set; size in bytes."""
    return f"The set has {size / 1e6:,.0f} MB, which is too much for a download."


def labels_given(target: str, *, has_target: bool, clean_label: bool) -> str:
    """Which label the poisoned images have."""
    if clean_label:
        return f"keep the label {target}"
    return f"the label {target}" if has_target else "the label of the next class"


def summary(attack: str, source: str, poison: int, images: int, labels: str, noise: int) -> str:
    """What the attack did to the set; counts of images."""
    name = words.attack(attack)
    done = (
        f"{name[0].upper()}{name[1:]} on {source}: {count(poison)} of {count(images)} training images "
        f"({percent(100 * poison / images)}) get the trigger and {labels}."
    )
    return done + (f" {count(noise)} noise images are changed, too, and keep their label." if noise else "")


# -- images ----------------------------------------------------------------------------------------

SHOW, ORIGINAL_CLASS, ALL_CLASSES, IMAGE_NUMBER = "Show", "Original class", "all classes", "Image number"
PREVIOUS, NEXT = "Previous", "Next"
EARLIER, LATER = "Earlier images", "Later images"
KINDS: dict[Kind, str] = {"poisoned": "poisoned", "noise": "noise", "unchanged": "unchanged", "all": "all"}
WHAT_BECAME = {
    "poisoned": "is poisoned",
    "noise": "is a noise image: changed, label kept",
    "unchanged": "is clean: not changed",
}
ORIGINAL, AS_TRAINED = "Original", "As trained on"


def position_among(position: int | None, images: int) -> str:
    """Which of the chosen images is shown, counted from 1; or how many there are where another one is shown."""
    if position is not None:
        return f"{count(position)} of {count(images)}"
    return f"{count(images)} such image" + ("" if images == 1 else "s")


def difference_title(gain: float) -> str:
    """Above the difference."""
    return f"Difference × {gain:.0f}"


def difference_note(largest: int) -> str:
    """Below the difference."""
    return f"mid grey: no change; largest: {largest} of 255 levels"


def trigger_title(gain: float) -> str:
    """Above the trigger."""
    return f"Trigger × {gain:.0f}"


def trigger_note(ground: str, varies: bool) -> str:
    """Below the trigger."""
    return f"on {ground}" + ("; each image has its own" if varies else "")


def strip_heading(first: int, last: int, images: int) -> str:
    """Above the strip, in markdown; images are counted from 1."""
    if last < first:
        return "**No image of this kind**. Choose another kind or another class."
    shown = f"Images {count(first)} to {count(last)} of {count(images)}"
    return f"**{shown}**, as trained on: number, original label → given label"
