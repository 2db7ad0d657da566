"""The texts of the tour: templates that `tour` fills with the numbers measured on a recording.

`[[alpha]]` names a term of the glossary, `[[alpha|other words]]` shows other words for it. Names in braces are filled
in. The name of a variant says when it is used.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StepTexts:
    """What is the same in every variant of a step."""

    title: str
    researcher: str
    question: str
    choices: tuple[str, ...] = ()
    """Empty where the choices are ranges of a count, from `ZERO` to `AT_LEAST`."""
    attempt: str
    button: str = ""


NO_TRUTH = "This recording cannot tell: it does not say which of its images are poisoned."
NO_ATTACK = "Nobody added a mark to the images of this recording, so there is nothing to measure."
NOT_MEASURED = "This number was not measured in this recording."
UNKNOWN_SHARE = "an unknown share"
UNKNOWN_POOL = "an unknown number of samples"
POOL = "{size} samples"
POOL_WITH_POISON = "{size} samples, {poison} of them poisoned"
CLASS = "“{name}”"
ZERO = "Zero"
FEWER = "Fewer than {low}"
EXACTLY = "Exactly {low}"
BETWEEN = "{low} to {below_high}"
AT_LEAST = "{high} or more"

BACKDOOR = StepTexts(
    title="What a backdoor is",
    researcher=(
        "{attack}: {poisoned} of {samples} samples ({rate}) are [[poison|poisoned]], {target}. "
        "The [[g|altruistic model]] after its warm-up stands for plain training without a defence."
    ),
    question="A network is trained without any defence and then sees a new image with the mark. What does it answer?",
    choices=("What the image shows", "Sometimes one, sometimes the other", "What the attacker wants"),
    attempt="Point at an image and compare its label with what it shows. Can you find the mark?",
)
BACKDOOR_STUDENT = (
    "Somebody put a small mark, the [[trigger]], into {poisoned} of these {samples} training images, and {labels}. "
    "A network that learns from them gets a [[backdoor]]: it answers correctly until an image carries the mark."
)
BACKDOOR_STUDENT_NO_ATTACK = (
    "A [[backdoor]] is a hidden habit: a network answers correctly until an image carries a secret mark. Nobody added "
    "such a [[trigger]] to these {samples} images. Watch what a defence does when there may be nothing to find."
)
BACKDOOR_STUDENT_NO_TRUTH = (
    "A [[backdoor]] is a hidden habit: a network answers correctly until an image carries a secret mark. Nobody "
    "recorded whether these {samples} images hold such a [[trigger]]. Watch what a defence does when there may be "
    "nothing to find."
)
BACKDOOR_RESEARCHER_NO_TRIGGER = (
    "{samples} samples, attack: {attack}. No trigger is known, so the [[ASR]] cannot be measured."
)
ONE_LABEL = "all of them are labelled {target}"
WRONG_LABELS = "each of them carries a wrong label"
ONE_TARGET = "target {target}"
MANY_TARGETS = "with more than one target"
BACKDOOR_ANSWER = (
    "Measured: after {epochs} epochs of plain training on everything, a network calls {success} of the marked test "
    "images {target} and {accuracy} of the ordinary ones what they show."
)
BACKDOOR_ANSWER_MANY_TARGETS = (
    "Measured: after {epochs} epochs of plain training on everything, a network calls {success} of the marked test "
    "images what the attacker wants and {accuracy} of the ordinary ones what they show."
)
BACKDOOR_ATTEMPT_NO_TRIGGER = "Point at an image and compare its label with what it shows."

FALSE_ALARM = "How many images will a defence distrust when there is nothing to find?"
FALSE_ALARM_CHOICES = ("Fewer than 1 in 100", "Up to 1 in 5", "1 in 5 or more")
FALSE_ALARM_ANSWER = (
    "Measured: {left} of {samples} images ({share}) are outside the last clean pool, although nothing is wrong with "
    "any of them. The main model still sees them, but without their labels."
)


HIDDEN_POISON = StepTexts(
    title="Poison among the images",
    researcher=(
        "{shown} samples of [[D_t]] (label {target}), poison in the same proportion as in the class. "
        "The defence never reads the ground truth; it is only an overlay of the views."
    ),
    question="How many of these {shown} are poisoned?",
    attempt="Click an image to pin it. Its card shows its label and both models' losses on it over the whole run.",
)
HIDDEN_POISON_STUDENT = (
    "These {shown} images are all labelled {target}. A person would have to look at every single one to find the "
    "[[poison]], and the network gets {samples} of them. Some marks cannot be seen at all."
)
HIDDEN_POISON_STUDENT_ANY_CLASS = (
    "These {shown} images come from all classes. A person would have to look at every single one to find the "
    "[[poison]], and the network gets {samples} of them. Some marks cannot be seen at all."
)
HIDDEN_POISON_RESEARCHER_ANY_CLASS = (
    "{shown} samples of [[D]], because no single class is suspected; poison in the same proportion as in the set. "
    "The defence never reads the ground truth; it is only an overlay of the views."
)
HIDDEN_POISON_ANSWER = "Measured: {poisoned} of these {shown} are poisoned. They have a dashed frame now."
HIDDEN_POISON_ANSWER_NONE = "Measured: 0 of these {shown} are poisoned. Each of them still has its original label."


TWO_MODELS = StepTexts(
    title="Two models",
    researcher=(
        "[[g]] is trained with cross-entropy on all of [[D]], [[f]] with MixMatch on [[D_c]] with labels and on "
        "[[D_p]] without them ([[semi]]). Each point is a sample, placed by both of its losses."
    ),
    question="Which of the two does the mark fool in the end?",
    choices=("Only the altruistic model", "Only the main model", "Both", "Neither"),
    attempt="Play the run: lines are the main model's test results, bars the poison in its clean pool.",
    button="Play the run",
)
TWO_MODELS_STUDENT = (
    "Two networks learn side by side. The [[g|altruistic model]] memorises everything, poison included. The "
    "[[f|main model]], the one to be used in the end, learns labels only from trusted samples."
)
TWO_MODELS_ANSWER = (
    "Measured: marked images fool the altruistic model in {plain_success} of cases after its warm-up, and the main "
    "model in {success} at the end. Ordinary images are recognised in {plain_accuracy} and {accuracy}."
)


LOSS = StepTexts(
    title="How the altruistic loss reveals poison",
    researcher=(
        "Distribution of [[loss_g]] ([[sce]], nats) at the end of the altruistic warm-up. "
        "[[als]] keeps the share [[alpha]] = {alpha} with the largest losses."
    ),
    question="Which images does the altruistic model know best after its warm-up?",
    choices=("The poisoned ones", "Both equally well", "The clean ones"),
    attempt="Play the warm-up and watch which samples move to the left first.",
    button="Play the warm-up",
)
LOSS_STUDENT = (
    "A mark is often easier to learn than what an image shows, so poisoned images are often learned first. Here every "
    "sample is placed by its [[loss_g|altruistic loss]]: those on the left are learned already, those on the right are "
    "still hard."
)
LOSS_ANSWER = (
    "Measured after the warm-up: the median loss is {poison} for poisoned and {clean} for clean images. If you draw "
    "one of each at random, the poisoned one has the smaller loss in {smaller} of cases."
)
LOSS_ANSWER_NO_ATTACK = (
    "Nobody added poison here, so there is nothing to compare. The cut will throw out clean images that are easy to "
    "learn."
)


DISTANCE = StepTexts(
    title="How distance reveals poison",
    researcher=(
        "[[f]] after its warm-up on [[D_nt]]. [[distance]] is the distance, in its features, to the nearest centre of "
        "a known class. [[oss]] keeps the share [[beta]] = {beta} of [[D_t]] that lies farthest away."
    ),
    question="Of the images labelled with the suspected class, which lie nearer to another class?",
    choices=("The poisoned ones", "Both equally near", "The clean ones"),
    attempt="Point at a sample on the map: a dashed line shows its nearest other class and the true distance.",
)
DISTANCE_STUDENT = (
    "The [[f|main model]] first learns every class except the suspected one, {target}. A genuine image of that class "
    "then looks new to it. A poisoned image still shows something else, so it may look like a class that it knows."
)
DISTANCE_STUDENT_NO_TARGET = (
    "The [[f|main model]] first learns every class except the suspected one; in this run no single class is suspected. "
    "A genuine image of a suspected class then looks new to it. A poisoned image still shows something else, so it may "
    "look like a class that it knows."
)
DISTANCE_ANSWER = (
    "Measured: the median distance is {poison} for poisoned and {clean} for clean images of {target}. If you draw one "
    "of each at random, the poisoned one is nearer in {smaller} of cases."
)
DISTANCE_ANSWER_ORIGIN = " For {share} of the poisoned images, the nearest class is the one they really show."
DISTANCE_ANSWER_NOT_RECORDED = (
    "This recording has no distances for poisoned images of a suspected class at this epoch, so there is nothing to "
    "compare."
)


CUTS = StepTexts(
    title="The two cuts",
    researcher=(
        "[[als]] keeps the share [[alpha]] = {alpha} of [[D]], [[oss]] the share [[beta]] = {beta} of [[D_t]]. "
        "First pool: {rule}. Moving a line redoes the split exactly; no training is needed."
    ),
    question="How many of the {poisoned} poisoned samples slip into the first pool?",
    attempt="Drag a line, or move the vertical one to 0.95, and see which samples come in.",
    button="Move it to 0.95",
)
CUTS_STUDENT = (
    "Two lines divide the samples: those right of [[alpha|the vertical line]] are hard to memorise, those above "
    "[[beta|the horizontal line]] are unlike every other class. The first [[D_c|clean pool]] (filled points) is {rule}."
)
CUTS_QUESTION_UNKNOWN = "How many poisoned samples slip into the first pool?"
CUTS_RULES = {
    "intersection": "what both cuts keep",
    "union": "what either cut keeps",
    "als_only": "what the cut by loss keeps",
    "oss_only": "what the cut by distance keeps",
    "random": "a random draw of the same size",
}
CUTS_ANSWER = "Measured: the first clean pool has {pool}."
CUTS_ANSWER_ALONE = " The cut by loss alone would keep {als}; the cut by distance alone, {oss}."


GROWTH = StepTexts(
    title="Growing the pool",
    researcher=(
        "For [[T1]] + {init_epochs} ≤ [[T]] < [[T2]], the pool is the share [[alpha_T]] with the largest [[gap]], with "
        "[[completion]]; from [[T2]] on, [[drop]] is added."
    ),
    question="While the pool grows, what happens to the poison in it?",
    choices=("It grows as well", "It stays about the same", "It shrinks"),
    attempt="Play the growth. The diagonal is the cut: what lies above it and to its right comes in.",
    button="Play the growth",
)
GROWTH_STUDENT = (
    "By now the main model judges better than the two cuts did, so the pool is chosen anew in every epoch: samples "
    "that the [[g|altruistic model]] finds hard and the [[f|main model]] finds easy come in. The pool's share grows "
    "slowly, and no class may run short."
)
GROWTH_ANSWER = (
    "Measured: the pool goes from {growing} to {grown}. "
    "The most poison that any pool of the run held was {most} samples."
)
GROWTH_ANSWER_TOO_SHORT = "This recording ends before the pool grows, so there is nothing to measure yet."


OUTCOME = StepTexts(
    title="Was it worth it?",
    researcher=(
        "[[CA]] and [[ASR]] of [[f]] per epoch; the latter on test images of other classes with the trigger. "
        "Bars: poison in [[D_c]]. One run, one seed."
    ),
    question="How many marked images still fool the main model at the end?",
    choices=("Fewer than 1 in 10", "From 1 in 10 up to half", "Half or more"),
    attempt="Choose another recording above and take the tour again: not every run ends well.",
)
OUTCOME_STUDENT = (
    "Two numbers count in the end: [[CA|how often ordinary images are recognised]], which should stay high, and "
    "[[ASR|how often marked images get the attacker's answer]], which should be close to zero. A defence that improves "
    "one at the cost of the other has not succeeded."
)
OUTCOME_ANSWER = (
    "Measured: {success} of the marked images get the attacker's answer ({plain_success} after {epochs} epochs of "
    "plain training on everything), and {accuracy} of the ordinary ones are recognised ({plain_accuracy})."
)
OUTCOME_ANSWER_NO_ATTACK = (
    "No attack is known here, so only this was measured: {accuracy} of the ordinary images are recognised "
    "({plain_accuracy} after {epochs} epochs of plain training)."
)
OUTCOME_ANSWER_SMALLEST = " The class with the fewest samples in the last pool is {name}, with {size}."

STEPS = (BACKDOOR, HIDDEN_POISON, TWO_MODELS, LOSS, DISTANCE, CUTS, GROWTH, OUTCOME)
"""In the order of the tour."""
TITLES = tuple(step.title for step in STEPS)
