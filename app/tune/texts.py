"""The texts of the page Tune. The engine's sentences about a preview are in `bsd_engine.method.worth`."""

NO_RUN = "There is no run to tune yet. Start one on the page Run; its epochs appear here as they are trained."
TO_RUN_PAGE = "Go to the page Run"
NO_EPOCH_LIVE = "The first epoch is still being trained. The views fill as soon as it is complete."
NO_EPOCH = "This run ended before its first epoch was complete, so it has no epoch to show. Choose another run."
BUSY = (
    "Run {run} is training, and this machine trains one run at a time. Wait until it ends, or stop it on the page Run."
)

STARTED = "Run {run} is training {begin} with these settings."
FROM_START = "from the start"
FROM_EPOCH = "from the end of epoch {epoch}"
WATCH = "Watch it"
BRANCH_FROM_START = "Trains a new run from the start, because the altruistic warm-up changes."
BRANCH_FROM_EPOCH = "Continues from the end of epoch {epoch}, the last one that these settings do not affect."

NO_DISTANCES = "The first split needs distances, which come with epoch {epoch}."
NO_SPLIT = (
    "The table of classes begins with epoch {epoch}. Until then only the altruistic model is trained, "
    "so there is no split to count."
)
NO_PREVIEW = (
    "The table of classes needs scores that this run has not recorded for these settings. "
    "It appears once they are recorded, or with other settings."
)
COUNTS = (
    "Counted by the engine at epoch {epoch}: {run_pool} samples in the pool of the run, "
    "{preview_pool} in that of the preview."
)
COUNTS_NO_RUN_POOL = (
    "Counted by the engine at epoch {epoch}: {preview_pool} samples in the pool of the preview. "
    "The run has no pool yet."
)

CLASS = "class"
SAMPLES = "samples"
RUN_POOL = "pool of the run"
PREVIEW_POOL = "pool of the preview"
COMES_IN = "come in"
GOES_OUT = "go out"
PREVIEW_POISON = "poison in the preview"

BAD_SETTINGS = (
    "The address holds settings that cannot be read (expected alpha, beta, T1, altruistic epochs and distance, "
    "like 0.6_0.2_5_6_min). The settings of the run are shown."
)
