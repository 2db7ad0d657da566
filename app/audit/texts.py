"""The texts of the Audit page. Those of alarms, reasons and findings come from the engine."""

from __future__ import annotations

from app.style.theme import count

# -- page ------------------------------------------------------------------------------------------

TRUTH_HELP = (
    "Which samples are poisoned, where that is known. If off, the sealed envelope hides it until you have judged "
    "samples yourself."
)
NO_RUN = (
    'There is no run to audit yet. Start one on the Run page. To audit your own data, choose "folder of images" and '
    'the attack "none added" there.'
)
TO_RUN_PAGE = "To the Run page"
COMMON, BOUND, DOWNLOADS, SEALED = "In common", "Audit to a bound", "Downloads", "Sealed envelope"
TOOLS = (COMMON, BOUND, DOWNLOADS, SEALED)
TRUTH_ALREADY_SHOWN = 'The ground truth is already shown. Switch "Show truth" off to seal it.'


def samples(number: int) -> str:
    """ "1 sample" or "6,000 samples"."""
    return f"{count(number)} sample{'s' * (number != 1)}"


def judgements_not_shown(why: str) -> str:
    """Why the judgements of a stranger's run are not shown; markdown."""
    return f"The judgements in this run are not shown. {why}"


# -- table -----------------------------------------------------------------------------------------

SCORE_HELP = "The suspect score, without a unit; a larger score is more suspect."
MARGIN_HELP = "Ranks behind the cut of its class, divided by the size of the class; negative is inside the pool."
LOSS_HELP = "SCE for the given label at the newest epoch, in nats."


def pool_help(epoch: int) -> str:
    """The help of the column of pool membership; `epoch` is the newest one, as shown."""
    return f"Epochs in the clean pool, of those from T1 up to epoch {epoch}."


def table_caption(shown: int, total: int, epoch: int, thumbnails: int) -> str:
    """What the table holds; `epoch` is the newest one, as shown."""
    text = f"{count(shown)} of {samples(total)}, as of epoch {epoch}"
    return f"{text}; the first {thumbnails} rows have thumbnails" if shown > thumbnails else text


def selection_only(selected: int) -> str:
    """The label of the filter that keeps the selected samples."""
    return f"Selection only ({count(selected)})"


# -- judgements ------------------------------------------------------------------------------------

NOTHING_TO_UNDO = "There is no judgement to undo."


def note_placeholder(selected: int) -> str:
    """What an empty note says."""
    return f"note for {count(selected)} selected" if selected else "note"


def judged(choice: str, number: int) -> str:
    """The confirmation of a judgement."""
    return f"{choice.capitalize()}: {samples(number)}"


def undone(number: int) -> str:
    """The confirmation of an undo."""
    return f"Judgement undone for {samples(number)}" if number else NOTHING_TO_UNDO


# -- passport --------------------------------------------------------------------------------------

MORE = "Neighbours, and pixels that support the label"
AS_TRAINED_ON, ORIGINAL = "As trained on", "Original"
READING_ORIGINALS = "Reading the original images"
NO_FLAG = "no flag"
NO_FLIP = "none of the single changes that were tried"
BORDERLINE = "borderline: ±0.02 flips it"
CERTAINTY = {
    "exact": "Exact for a run with these settings.",
    "one step": "This epoch's split with these models; a run with other settings trains other models.",
}
NO_MODELS = "This run has no checkpoint, so neither neighbours nor pixels can be computed."
FIND_NEIGHBOURS = "Find neighbours"
FINDING_NEIGHBOURS = "Running both models on every image"


def difference_title(gain: float) -> str:
    """The title of an image of differences."""
    return f"Difference × {gain:g}"


def truth(original_class: str | None) -> str:
    """The ground truth of a sample: the class that a poisoned one was, or None for a clean one."""
    return "Ground truth: ○ clean" if original_class is None else f"Ground truth: ◆ poisoned, was {original_class}"


def rank_line(rank: int, total: int, score: str, flags: str, epochs_in_pool: int, epochs_decided: int) -> str:
    """The place of a sample in the ranking."""
    pool = (
        f"in the pool in {epochs_in_pool} of {epochs_decided} epochs" if epochs_decided else "no clean pool before T1"
    )
    return f"Rank {rank:,} of {total:,}, score {score}; {flags}; {pool}."


def predictions(epoch: int, main: str | None, altruistic: str) -> str:
    """The class that each model predicts at an epoch, as shown; the main model has none in the altruistic warm-up."""
    main_part = "" if main is None else f"main model: {main}; "
    return f"Predicted at epoch {epoch}: {main_part}altruistic model: {altruistic}."


def flips_later(first_split: int) -> str:
    """What stands in place of the flips before the first split, whose epoch is given as shown."""
    return f"What would flip the decision is known from epoch {first_split} on, when the first split is made (T1)."


def flips_heading(in_pool: bool, epoch: int) -> str:
    """The heading of what would flip the decision of an epoch, as shown."""
    return f"What would {'keep it out' if in_pool else 'let it in'} at epoch {epoch}"


def neighbours_need_a_pass(total: int) -> str:
    """Why there are no neighbours yet."""
    return (
        f"Neighbours need one pass of both models over all {samples(total)}. The result is stored in the run folder. "
        "Press the button to compute it."
    )


def nearest(model: str, epoch: int) -> str:
    """The heading of the neighbours in a model's features after an epoch, as shown."""
    return f"Nearest in the features of the {model} model after epoch {epoch}: sample, label, cosine distance, pool"


def pixels_heading(label: str, epoch: int) -> str:
    """The heading of the saliency images after an epoch, as shown."""
    return f"Pixels that support {label} (bright) after epoch {epoch}: integrated gradients from grey"


def model_title(model: str) -> str:
    """The title of a model's saliency image."""
    return f"{model.capitalize()} model"


# -- in common -------------------------------------------------------------------------------------

CONTROLS = "Controls of the same"
CONTROLS_HELP = (
    "content: controls that the main model assigns to the same class, so that a boot labelled dress is compared with "
    "boots. label: controls with the same given label. Controls come from the clean pool."
)
TOO_FEW = "There are too few samples, or too few in the clean pool to compare them with. Select other samples."
PATCHES = "Most frequent small patches"
NO_DIFFERENCE, LESS_VARIANCE, MORE_POWER = (
    "mid grey: none",
    "bright: less than the controls",
    "bright: more than the controls",
)


def compared(who: str, controls: int) -> str:
    """Who is compared with how many controls."""
    return f"{who} compared with {samples(controls)} of the clean pool."


def selected(number: int) -> str:
    """The selection."""
    return f"The {count(number)} selected samples"


def apart(number: int) -> str:
    """All samples that stand apart."""
    return f"The {count(number)} samples that stand apart"


def most_suspect(number: int) -> str:
    """The top of the ranking."""
    return f"The {count(number)} most suspect samples"


def patch_note(row: int, column: int, share: float, control_share: float) -> str:
    """Where a patch is and how often."""
    return f"row {row}, column {column}: {share:.0%} of samples, {control_share:.0%} of controls"


# -- audit to a bound ------------------------------------------------------------------------------

NO_POOL = "There is no clean pool to draw from yet. It comes with the first split, at T1."
IMAGES_TO_JUDGE = "Images to judge"
DRAW_NUMBER = "Draw number"
DRAW_HELP = "Another number draws other images."


def draw_size_help(for_three_percent: int, for_one_percent: int) -> str:
    """How many images without a bad one give which bound."""
    return f"{for_three_percent} without a bad one give a bound of 3 %, {for_one_percent} a bound of 1 %."


def draw_progress(judged_number: int, drawn: int) -> str:
    """How much of the draw is judged."""
    return (
        f"{count(judged_number)} of {count(drawn)} drawn images judged. Images judged unsure are not counted; the "
        "bound holds for this draw only once you have decided on them."
    )


def mark_bad(number: int) -> str:
    """What to do with the next images, as markdown."""
    return f"**Mark the bad ones among these {number}**, then press the button. All others are judged keep."


def judge_these(bad: int, good: int) -> str:
    """The button that judges the shown images."""
    return f"Judge these {bad + good}: {bad} bad, {good} good"


# -- downloads -------------------------------------------------------------------------------------

KEEP = "Keep"
KEEP_HELP = (
    "balanced removes samples whose estimated probability of poison is above 0.2, generous above 0.5, and strict above "
    "0.05, together with labels that both models contradict. pool: the clean pool of the newest epoch, whatever the "
    "verdict. Your judgements override all of them."
)
SUSPECTS_CSV, SUSPECTS_PARQUET, REPORT = "Suspects, CSV", "Suspects, Parquet", "Report, HTML"
KEEP_LIST, MODEL = "List of samples to keep", "Main model, safetensors"
IN_A_TERMINAL = "The same in a terminal:"


def cleaned_set(number: int) -> str:
    """The button of the cleaned set."""
    return f"Cleaned set, {count(number)} images (zip)"


def commands(folder: str, rule: str) -> str:
    """The commands that write the same files; `folder` is quoted for a shell."""
    return (
        f"python -m bsd_engine suspects {folder} --out suspects.csv --keep {rule}\n"
        f"python -m bsd_engine report {folder} --out report.html\n"
        f"python -m bsd_engine cleaned {folder} --out cleaned --keep {rule} --weights main_model.safetensors\n"
        "python -m bsd_engine undefended --preset audit --data folder:cleaned --out runs/plain"
    )


# -- sealed envelope -------------------------------------------------------------------------------

NO_TRUTH = "This run has no truth to open, because it is not known which samples are poisoned."
JUDGE_FIRST = "Judge samples yourself: **remove** means poisoned, **keep** means clean. Then open the envelope."
OPEN_ENVELOPE = "Open the envelope"
YOU, BSD = "You", "BSD"
SCORE_COLUMNS = ("right", "poison found", "poison missed", "clean removed", "clean kept")


def samples_judged(number: int) -> str:
    """How many samples the reader has judged."""
    return f"You have judged {samples(number)}."


def mistakes(wrong: dict[int, bool], most: int) -> str:
    """The samples that were judged wrongly, with whether each is poisoned; at most so many are listed."""
    listed = ", ".join(f"{sample} ({'poisoned' if bad else 'clean'})" for sample, bad in list(wrong.items())[:most])
    rest = f" and {count(len(wrong) - most)} more" if len(wrong) > most else ""
    return f"You were wrong about: {listed}{rest}"
