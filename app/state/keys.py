"""Keys of Streamlit's session state: values that pages keep between script runs, and widgets that are read by key.

The key of a widget that no other code reads stays beside that widget.
"""

from __future__ import annotations

# Several pages
TRUTH = "truth"
"""Switch: whether ground truth is shown; also in the address."""
SHOWN_RUN = "shown_run"
"""Id of the run that the page Run shows."""
STARTED_RUN = "started_run"
"""Id of a run that was just started or branched; the page Run removes it and shows the run."""
COPIED = "copied_run"
"""A run that was just copied from a foreign one: its id, the name of its source, and what was left out."""
LINKED = "linked"
"""`Linked`: the run, epoch and samples that the pages share."""

# The launch form of the page Run
PRESET = "new_preset"
"""Name of the chosen preset."""
FORM_NUMBER = "new_form"
"""Counts how often the form was refilled; it is part of the key of every field."""
FORM_START = "new_values"
"""`LaunchForm` that another page filled in; if missing, the form has the preset's values."""
LAST_START = "last_start"
"""The form of the last press on Start, and the time (monotonic clock, seconds)."""
REFUSAL = "refusal"
"""The form that could not be started, and the reason as a sentence."""

# The monitor of the page Run
POSITION = "position"
"""`Position` on the timeline."""
MAP_KIND = "map_kind"
"""Which projection the feature map shows: auto, PCA or UMAP."""
PAGE_ID = "page_id"
"""Random name of this browser tab, for counting the tabs that watch a run."""
COMMAND_ERROR = "command_error"
"""Why the last command or branch failed; shown once."""

# The page Attacks; every key starts with `ATTACK_PREFIX`
ATTACK_PREFIX = "seen_"
ATTACK_FORM_NUMBER = "seen_form"
"""`FORM_NUMBER` of the launch form that the fields of the page Attacks started from."""
TRIGGER_UPLOAD = "seen_upload"
"""The uploader of a trigger image."""
TRIGGER_PATH = "seen_picture"
"""Path of the stored trigger image."""
TRIGGER_REFUSAL = "seen_refusal"
"""Why the uploaded trigger image was refused."""
IMAGE_NUMBER = "seen_number"
"""Number of the training image shown large."""
IMAGE_PAGE = "seen_page"
"""0-based page of the strip of images."""
IMAGE_CHOICE = "seen_choice"
"""The filter and the poisoned set that the number and the page belong to."""


def launch_field(name: str, form_number: int) -> str:
    """Key of a field of the launch form.

    Choosing a preset makes new fields, so that a late timer tick can only bring back values of old ones.
    """
    return f"new_{name}_{form_number}"


def attack_field(name: str) -> str:
    """Key of a field of the page Attacks."""
    return f"{ATTACK_PREFIX}{name}"
