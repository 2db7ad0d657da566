"""The texts of the page Run: launch form, state of a run, buttons, numbers, figures. The target has `target_texts`."""

from __future__ import annotations

from typing import NamedTuple

from app.style import words
from app.style.theme import count
from bsd_engine.runs.layout import Command


class FieldText(NamedTuple):
    """Label of a field, and the help behind its question mark."""

    label: str
    help: str | None = None


# -- the whole page --------------------------------------------------------------------------------

WELCOME_TITLE = "Watch a network learn which images to trust"
WELCOME = """
Some training images carry a trigger and a wrong label. BSD finds them during training. It looks at every sample in two
ways: how quickly a model that memorises everything learns it, and how far it lies from the other classes.

Press **Start** on the left. The demo trains on real photographs that come with the project; it takes minutes and needs
no GPU. The page is updated after every epoch, and the run continues if you close the page.

| | stage | what happens |
|-|-|-|
| 1 | altruistic warm‑up | A second model memorises everything. It learns poison first, so a small loss is suspicious. |
| 2 | OSS warm-up | The main model learns without the suspected class. Its samples near another class are suspicious. |
| 3 | initial pools | Samples that pass both tests form the clean pool; the others are used without their labels. |
| 4 | class completion | The clean pool grows by the difference of both models' losses; no class is left empty. |
| 5 | selective drop | Samples that both models assign to the suspected class leave the clean pool. |
"""
RUN_LIST = "Recorded runs, newest first, then recordings"
WAITING, STARTING, START_FAILED = "waiting", "starting", "could not be started"


def unknown_run(name: str) -> str:
    """For an address that names no run; `name` is markdown-safe."""
    return f"There is no run called {name} here. Choose one from the list or start a new one."


# -- launch form -----------------------------------------------------------------------------------

NEW_RUN = "**New run**"
START = "Start"
MORE_SETTINGS = "More settings"
OTHER_STAGES = "Length of the other stages, in epochs"
PRESET = FieldText("Preset", "Sets every field below. Change what you like afterwards.")
FIELDS = {
    "source": FieldText("Data"),
    "path": FieldText(
        "Path", "A folder with train/CLASS/*.png and, if there is a test set, test/CLASS/*.png; or an .npz file."
    ),
    "attack": FieldText("Attack", "Choose “none added” for data that may be poisoned already."),
    "target_label": FieldText("Target class"),
    "trigger_image": FieldText("Trigger image", "Path of a PNG or JPEG file. Without one, a drawn star is used."),
    "rate": FieldText(
        "Poisoning rate",
        "Share of the images of the other classes that get the trigger and the target label. The paper uses 5 %.",
    ),
    "clean_rate": FieldText(
        "Poisoned share of the target class",
        "Share of the target class that gets the trigger. This attack changes no label. The paper uses 25 %.",
    ),
    "alpha": FieldText(
        "alpha: share of samples kept",
        "The largest share of all samples in the clean pool. The first split keeps this share by altruistic loss. The "
        "paper recommends 0.3 to 0.8 and uses 0.6. Low values starve the main model, high values let poison in.",
    ),
    "beta": FieldText(
        "beta: share of the suspected class kept",
        "Has two uses: the share of the suspected class that is kept by its distance from the other classes, and the "
        "share of all samples that class completion starts from, unless “Completion starts from” under More settings "
        "says otherwise. The paper recommends less than 0.5 and uses 0.2. Never above alpha.",
    ),
    "t1": FieldText(
        "T1: warm-up epochs of the main model",
        "Epochs in which the main model trains without the suspected class, before the first split. The later stages "
        "move along and keep their lengths. The paper uses 20, the demo 5.",
    ),
    "seed": FieldText("Seed", "The same seed gives the same pools."),
    "device": FieldText("Device", "auto uses the GPU if there is one."),
    "limit": FieldText("Training images", "Drawn so that every class keeps its share."),
    "target_estimator": FieldText(
        "Target estimator",
        "How the target class is estimated without ground truth. Residual transplant (ours): what sets a class apart "
        "is added to other images, and if the altruistic model then calls them by that class, it is the target; it "
        "can also find no attack. Probability floor (ours): the class that the model never quite rules out for any "
        "sample. Paper's vote: the class that is most often the second most likely.",
    ),
    "assume_target": FieldText("Assumed target"),
    "completion": FieldText("Class completion", "Which classes are kept from starving while the clean pool grows."),
    "alpha_start": FieldText(
        "Completion starts from",
        "Share of all samples that class completion starts from. If empty, beta is used, as in the paper; above "
        "alpha, alpha.",
    ),
    "init_combine": FieldText("First clean pool"),
    "selective_drop": FieldText(
        "Selective drop", "From T2 on, samples that both models assign to the suspected class leave the clean pool."
    ),
    "flip": FieldText("Mirror images", "Augment by mirroring. Switch it off for signs and letters."),
    "altruistic_epochs": FieldText("Altruistic warm-up"),
    "init_epochs": FieldText("Initial pools"),
    "completion_epochs": FieldText("Class completion"),
    "drop_epochs": FieldText("Selective drop"),
    "iterations": FieldText("Iterations per epoch"),
    "model": FieldText("Network"),
    "width": FieldText("Channels in its first stage"),
}
CLASS_NUMBER_HELP = "Number of the class, starting at 0."
COMPLETIONS = {
    "fewest": "smallest class (paper)",
    "balanced": "every class (ours)",
    "balanced_others": "all but the suspected class (ours)",
    "off": "off",
}
FIRST_POOLS = {
    "intersection": "kept by both splits (Eq. 3)",
    "union": "kept by either split",
    "als_only": "by loss alone (ALS)",
    "oss_only": "by distance alone (OSS)",
    "random": "at random",
}
NETWORKS = {"small_resnet": "small ResNet", "resnet18": "ResNet-18", "mobilenet_v2": "MobileNet-v2"}
PATH_EXAMPLES = {"folder": "/home/me/images", "npz": "/home/me/images.npz"}
TRIGGER_EXAMPLE = "/home/me/trigger.png"
ALL_IMAGES = "all"
AS_BETA = "beta"


def length(epochs: int, seconds: float | None) -> str:
    """Length of the run that Start would begin."""
    about = f", about {words.duration(seconds)}" if seconds else ""
    return f"{epochs} epochs{about}"


def other_parameters(parameters: dict[str, object]) -> str:
    """Parameters that have no field in the form, to be made safe for markdown."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in parameters.items())


SET_ELSEWHERE = "set on the page Attacks"

# -- what the run is doing -------------------------------------------------------------------------

PENDING: dict[Command, str] = {"pause": "pausing…", "resume": "resuming…", "stop": "stopping…"}
LOADING = "Loading the images and building both models; the first epoch follows."
SEE_TERMINAL = "The terminal shows why."
RESUMABLE = "Resume goes on from there; at most the epoch in progress is trained again."
NOT_RESUMABLE = "There is no checkpoint to resume from."
PAUSED = "paused; Resume continues within the epoch"
WRITING_SUMMARY = "writing the summary"
NOT_STARTED = {"queued": WAITING, "failed": "not started"}


def queued(before: int) -> str:
    """For a run in the queue with that many trainings before it."""
    runs = "the run that is training" if before == 1 else f"{before} other runs"
    return f"Waiting for {runs} to end; this machine trains one run at a time. Stop removes this run from the queue."


def crafting(progress: str) -> str:
    """While the attack trains a network of its own."""
    return f"The attack is crafting its trigger: {progress}. The trigger is kept for the next run."


def silent(seconds: float) -> str:
    """For a run whose writer has said nothing for too long."""
    return f"no news for {words.duration(seconds)}; it may hang, or the machine may be busy"


def time_left(seconds: float | None, known_after: str) -> str:
    """Time left, or when it will be known."""
    return f"time left is known after {known_after}" if seconds is None else f"about {words.duration(seconds)} left"


def damaged(problem: str, epochs: int) -> str:
    """For a record with an epoch that cannot be read."""
    return f"{problem} The {count(epochs)} epochs before it are shown."


RESUMES_BEFORE_IT = "Resume goes on from the newest sound checkpoint."


# -- buttons ---------------------------------------------------------------------------------------

FOLLOW_LIVE, LAST_EPOCH = "Follow live", "Last epoch"
FOLLOWING = "The newest epoch is shown already."
PAUSE, RESUME, STOP = "Pause", "Resume", "Stop"
ALREADY_PAUSED = "The run is paused already."
ALREADY_TRAINING = "The run is training already."
COMMAND_PENDING = "The last command has not been carried out yet."
NOT_TRAINING = "The run is not training."
WHY_NOT = {
    "queued": "The run is waiting in the queue.",
    "preparing": "The run is being prepared.",
    "finished": "The run has finished.",
}


def newer(label: str, epochs: int) -> str:
    """Label of the button that goes to the newest epoch."""
    return f"{label} ({epochs} newer)" if epochs > 0 else label


# -- chips and tiles -------------------------------------------------------------------------------

TRUTH_UNKNOWN, TRUTH_SHOWN, TRUTH_HIDDEN = "truth unknown", "truth shown", "truth hidden"
NO_ATTACK_ADDED, ATTACK_HIDDEN, NEXT_CLASS = "no attack added", "attack hidden", "the next class"
CLEAN_ACCURACY = "Clean accuracy (CA)"
ATTACK_SUCCESS = "Attack success (ASR)"
CLEAN_POOL = "Clean pool"
POISON_IN_POOL = "Poison in the clean pool"
SUSPECTED_CLASS = "Suspected target class"
TILES = (CLEAN_ACCURACY, ATTACK_SUCCESS, CLEAN_POOL, POISON_IN_POOL, SUSPECTED_CLASS)
HIGHER, LOWER = "higher is better", "lower is better"
NO_TEST_SET = "the data have no test set"
HIDDEN_WITH_TRUTH = "hidden with the truth"
UNKNOWN_WITHOUT_ATTACK = "unknown without the attack"
ESTIMATED_EACH_EPOCH = "estimated after each epoch"
EVERY_CLASS, NO_SINGLE_TARGET = "every class", "all-to-all: no single target"
VERDICT_WITHOUT_CLASS = {"several": "several", "no_attack": "none"}
LIKELIEST_CLASS = {"no_attack": "no attack found; the likeliest class", "uncertain": "uncertain; the likeliest class"}
RIGHT = "right"


def wrong(target: str) -> str:
    """Beside a wrong estimate of the target."""
    return f"wrong: {target}"


# -- figures ---------------------------------------------------------------------------------------

MAP_KIND = FieldText("Map", "auto: UMAP of the newest epoch that has one, otherwise PCA.")
EVIDENCE = "Which class is the target? The evidence, and how to overrule it"
FIGURE_TITLES = {
    "feature_map": "Map of features",
    "altruistic_loss": "Altruistic loss",
    "oss_distance": "OSS distance",
    "loss_discrepancy": "Loss of both models",
    "poison_in_pool": "Clean pool",
    "accuracy": "Accuracy",
    "votes": "Which class is the target?",
    "target_strip": "Which class each estimator names",
    "transplant_map": "A class's residual on other images",
}
WAITING_FOR_EPOCH = "appears after the first epoch"
NO_FEATURES = "this run has no features recorded"


def no_umap_yet(epoch: int) -> str:
    """Where UMAP was asked for and no map has been made; `epoch` is the number shown."""
    return (
        f"no UMAP map up to epoch {epoch} yet: maps are made beside the training,<br>"
        "the first takes half a minute; PCA is available at once"
    )
