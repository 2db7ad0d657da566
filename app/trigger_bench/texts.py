"""The texts of the page Trigger bench."""

NO_RUN = (
    "There is no run to try a trigger on yet. Start one on the page Run; its models answer here from its first "
    "epoch on."
)
TO_RUN_PAGE = "Go to the page Run"
NO_CHECKPOINT = (
    "This run has no stored checkpoint, so none of its models can answer. A run stores one after each epoch: "
    "wait for the first one, resume the run on the page Run, or choose another run."
)

RUN_TRIGGER = "The run's own: {attack}"
TRIGGERS = {"picture": "Your own picture", "drawn": "Your own drawing"}
"""Names in the list of triggers for those that are not attacks."""

NOTHING_DRAWN = (
    "Nothing is drawn yet. Paint on this image with the mouse, or move the frame with the arrow keys and press the "
    "space bar."
)
FADED_OUT = "The trigger is faded out: its opacity is 0 %."
NO_UNDEFENDED_MODEL = "No undefended model is stored for this run. To see its answer, train it once without a defence:"
THE_PICTURE = "The picture"
"""Replaces the path of an uploaded file, which means nothing to the user."""
UNREADABLE_PICTURE = "The picture cannot be read. Upload a PNG or JPEG file."

UPLOAD_IN_ADDRESS = (
    "The address asks for an image that was uploaded, which an address cannot hold. Image 0 is shown; upload your "
    "image again."
)
UNKNOWN_TRIGGER = "The address names the trigger {given!r}, expected one of {expected}. The first of them is used."
BAD_NUMBER = (
    "The address gives {given!r} for the {what}, expected a number from {low} to {high}; {otherwise} is used instead."
)
BAD_DRAWING = "The drawing in the address does not fit the images of this run and is left out. Draw it again."
NOT_STORED = "No models are stored after epoch {asked}. Those after epoch {shown} are shown instead."

IMAGE, ROW, COLUMN, OPACITY, SIZE = (
    "image",
    "row of the trigger",
    "column of the trigger",
    "opacity",
    "size of the picture",
)
"""Names of the parts of the address in `BAD_NUMBER`."""
