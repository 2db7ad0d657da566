"""The texts of the page Learn, except those of its tour (`tour_texts`) and the lines of Algorithm 1 (`algorithm`)."""

HEADING = "Understand a backdoor, and a defence, in ten minutes"
NOTHING_TO_SHOW = (
    "There is no recording in assets/recordings and no run on this machine yet. Start a run on the page Run; it can be "
    "watched here from its first epoch on."
)
TO_RUN_PAGE = "Go to the page Run"
NO_EPOCH_LIVE = "The first epoch of this run is still being trained. The views appear as soon as it is complete."
NO_EPOCH = "This run ended before its first epoch was complete, so there is nothing to show. Choose another one."
RUN_CARD = "{attack} · {data}"
RUN_CARD_SENTENCE = "Your run of {moment}, {status}."

UNREADABLE_RUN = "{problem} Another recording is shown."
EPOCH_BEYOND_THE_LAST = "The address names epoch {epoch}, but this recording has {epochs}; the last one is shown."
BAD_STEP = "The address names step {given} of the tour, expected 1 to {steps}. The first step is shown."
BAD_CAPTIONS = "The address asks for captions for {given}, expected {expected}. Those for students are shown."
BAD_SLIDES = "The address says slides={given}, expected 1 or 0. Slides are off."
BAD_HIDE = "The address hides {given}, expected one of {expected}. Nothing is hidden for it."

HIDEABLE = {
    "cards": "recordings",
    "time": "time and play",
    "algorithm": "Algorithm 1",
    "cuts": "moving the cuts",
    "captions": "captions switch",
}
"""Parts of the page that a teacher can hide, as the address names them and as the menu shows them."""

CAPTIONS: dict[str, tuple[str, str]] = {
    "hero": (
        "Each point is a training image. Filled points are in the [[D_c|clean pool]], hollow ones are left out.",
        "Scores of each sample and the cuts of the split; filled: [[D_c]].",
    ),
    "side": (
        "Training images as the networks see them.",
        "Samples of the selection; the frame shows the ground truth if it is known.",
    ),
    "map": (
        "Images that look alike to the network lie close together.",
        "Landmarks by features of [[f]] (of [[g]] in its warm-up); distances on the map are not [[distance]].",
    ),
    "other": (
        "Each image is placed by what both networks make of its label.",
        "[[loss_f]] × [[loss_g]] ([[sce]], nats, log).",
    ),
    "curves": (
        "How the run went: blue is [[CA|ordinary images recognised]], orange is [[ASR|marked images misled]].",
        "[[CA]], [[ASR]] and [[alpha_T]] per epoch; bars: poison in [[D_c]].",
    ),
    "controls": (
        "Where the two lines stand, and how many images are on each side.",
        "[[als]] × [[oss]]: counts on each side of [[alpha]] and [[beta]].",
    ),
}
"""Captions of the panels, for students and for researchers."""

FIRST_POOL = {
    "intersection": ("[[D_c]] ← [[als]] and [[oss]] keep it", "Eq. 3; the paper's line prints a union"),
    "union": ("[[D_c]] ← [[als]] or [[oss]] keeps it", "as printed; Eq. 3 has the intersection"),
    "als_only": ("[[D_c]] ← [[als]] keeps it", "this run leaves [[oss]] out"),
    "oss_only": ("[[D_c]] ← [[oss]] keeps it", "this run leaves [[als]] out"),
    "random": ("[[D_c]] ← drawn at random", "this run draws as many samples as both cuts would keep"),
}
"""Line 21 of Algorithm 1 and its note, by the setting `init_combine`."""
COMPLETION = {
    "fewest": "the class with the fewest is filled up",
    "balanced": "of every class its share",
    "balanced_others": "of every other class its share",
    "off": "without class completion",
}
"""What line 28 does about small classes, by the setting `completion`."""
