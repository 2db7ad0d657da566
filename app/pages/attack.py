"""The page Attacks: what an attack does to images, which ones it changes, and the poisoned set to take along."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.attacks.form import attack_form
from app.attacks.poisoned_view import Kind, PoisonedView, poisoned_view
from app.components.live_plot import live_plot
from app.figures.attacks import class_bars, spectrum_figure
from app.figures.pixels import GAIN, data_uri, difference_picture, enlarged, fitting_gain, thumbnail
from app.run import figure_commands
from app.run.launch_state import fill_in
from app.server import data_paths, uploads
from app.server.registry import registry
from app.style import words
from app.style.theme import Palette, class_name, count, palette_for, percent
from bsd_engine import attacks
from bsd_engine.compute.progress import Bar, shown_by
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError
from bsd_engine.prepare import export
from bsd_engine.prepare.spectrum import spectrum

SIDE = 224
FIGURE_HEIGHT = 300
A_PAGE = 24
LARGEST_DOWNLOAD = 200_000_000
MOST_VIEWS = 2
KINDS: dict[Kind, str] = {"poisoned": "poisoned", "noise": "noise", "unchanged": "unchanged", "all": "all"}
TRUTH = {
    "poisoned": ("◆", "is poisoned"),
    "noise": ("○", "is a noise image: changed, label kept"),
    "unchanged": ("○", "is clean: not changed"),
}


def render(run_page: st.Page) -> None:
    """The whole page; `run_page` is where a run with this attack is started."""
    with st.sidebar:
        st.markdown("**Attack**")
        try:
            config, refusal = attack_form(), None
        except BSDError as error:
            config, refusal = None, str(error)
    view = None
    if config is not None:
        try:
            view = _view(config)
        except BSDError as error:
            refusal = str(error)
    if config is None or view is None:
        st.error(words.unformatted(_without_path(refusal or "")), icon=":material/error:")
        return
    _head(config, view, run_page)
    _images(config, view)


def _without_path(sentence: str) -> str:
    """An uploaded picture has a name of ours, which says nothing to anyone, and neither does Pillow's word on it."""
    path = st.session_state.get("seen_picture")
    if path is None or str(path) not in sentence:
        return sentence
    return re.sub(r" \(cannot identify image file .*?\)", "", sentence).replace(str(path), "The picture")


def _view(config: BSDConfig) -> PoisonedView:
    """The poisoned set, kept for the next click; a bar shows how far an attack that trains a network of its own has come."""
    data_paths.check_config(config, registry().triggers)
    views, key = _views(), _key(config)
    if (view := views.get(key)) is None:
        name, size = words.attack(config.attack.attack), config.data.limit
        with (
            st.spinner(f"Poisoning {f'up to {count(size)}' if size else 'all'} images with {name}"),
            shown_by(_bar(st.empty())),
        ):
            view = poisoned_view(config)
        while len(views) >= MOST_VIEWS:
            views.pop(next(iter(list(views))), None)  # a list, since another session may change the dict meanwhile
        views[key] = view
    return view


# Not `cache_data`, which would copy a set of 150 MB at every click; nobody writes to a view. A function with `cache_resource`
# of its own could not move a bar that was drawn outside it.
@st.cache_resource(show_spinner=False)
def _views() -> dict[str, PoisonedView]:
    return {}


def _bar(place: DeltaGenerator) -> Bar:
    def steps(numbers: range, what: str) -> Iterator[int]:
        for i in numbers:
            place.progress(
                i / len(numbers),
                f"Crafting the trigger: {what}, step {i + 1} of {len(numbers)}. Kept for the next time.",
            )
            yield i
        place.empty()

    return steps


def _key(config: BSDConfig) -> str:
    """All that the poisoned set depends on; files and folders of images are known by their times, too."""
    parts = config.to_dict()
    return json.dumps(
        [config.seed, parts["data"], parts["attack"], data_paths.stamps(config.data.data)], sort_keys=True
    )


# -- head: what was done, and what to do with it ---------------------------------------------------


def _head(config: BSDConfig, view: PoisonedView, run_page: st.Page) -> None:
    left, right = st.columns(2, vertical_alignment="center")
    with left:
        st.html(f'<div class="now three">{html.escape(_sentence(config, view), quote=False)}</div>')
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        _save(config, view)
        if st.button(
            "Train with this attack",
            key="train_with",
            type="primary",
            icon=":material/play_arrow:",
            help="Fills in the form of the page Run; Start is pressed there.",
        ):
            _carry_over(config, run_page)


def _sentence(config: BSDConfig, view: PoisonedView) -> str:
    """What the attack did to the set."""
    chosen, kind, prepared = config.attack, attacks.kind(config.attack.attack), view.prepared
    poison, noise = int(view.poison_mask.sum()), int(view.noise_mask.sum())
    target = html.unescape(class_name(prepared.class_names, chosen.target_label))
    labels = (
        f"keep the label {target}"
        if kind.clean_label
        else f"the label {target}"
        if kind.has_target
        else "the label of the next class"
    )
    extra = f" {count(noise)} noise images are changed, too, and keep their label." if noise else ""
    name = words.attack(chosen.attack)
    return (
        f"{name[0].upper()}{name[1:]} on {words.source(config.data.data)}: {count(poison)} of {count(view.size)} training images "
        f"({percent(100 * poison / view.size)}) get the trigger and {labels}.{extra}"
    )


def _save(config: BSDConfig, view: PoisonedView) -> None:
    """The set as a file, or where it is too large for a browser, the command that makes one."""
    size = view.prepared.nbytes
    if size <= LARGEST_DOWNLOAD:
        st.download_button(
            f"Download .npz ({size / 1e6:.0f} MB)",
            lambda: export.npz_bytes(view.prepared),
            "poisoned.npz",
            "application/octet-stream",
            key="download",
            on_click="ignore",
            icon=":material/download:",
            help="Training, test and triggered test images with given and original labels; npz:PATH trains on it.",
        )
    with st.popover("Command", help="Saves the same set, also as a folder of PNG files."):
        if size > LARGEST_DOWNLOAD:
            st.markdown(f"The set has {size / 1e6:,.0f} MB, too much for a download.")
        st.markdown("Saves the same set in a terminal. A name without *.npz* makes a folder of PNG files.")
        st.code(export.command(config), language="bash", wrap_lines=True)


def _carry_over(config: BSDConfig, run_page: st.Page) -> None:
    """Fill in the form of the page Run and go there."""
    parameters = dict(config.attack.attack_parameters)
    try:
        if "image" in parameters:
            parameters["image"] = str(uploads.kept(Path(parameters["image"]), registry().triggers))
    except BSDError as error:
        st.error(words.unformatted(str(error)), icon=":material/error:")
        return
    fill_in(replace(config, attack=replace(config.attack, attack_parameters=parameters)))
    st.switch_page(run_page)


# -- one image -------------------------------------------------------------------------------------


@st.fragment
def _images(config: BSDConfig, view: PoisonedView) -> None:
    """Everything below the head. A fragment, so that the next image does not ask for the form again."""
    palette = palette_for(st.context.theme.type)
    numbers = _choose(view)
    number = int(st.session_state["seen_number"] or 0)
    st.html(_panes(view, number, palette))
    left, right = st.columns(2)
    with left:
        live_plot(
            spectrum_figure(spectrum(view.trigger.difference), palette),
            key="attack_spectrum",
            height=FIGURE_HEIGHT,
            remake=figure_commands.command("attack_spectrum", palette=palette, config=config),
        )
    with right:
        bars = class_bars(
            view.counts(view.poison_mask), view.counts(view.noise_mask), view.prepared.class_names, palette
        )
        live_plot(
            bars,
            key="attack_classes",
            height=FIGURE_HEIGHT,
            remake=figure_commands.command("attack_classes", palette=palette, config=config),
        )
    _strip(view, numbers, number, palette)


def _choose(view: PoisonedView) -> np.ndarray:
    """Which images to step through; the numbers of these. The number shown is in the session."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="image_choice"):
        kinds = [kind for kind in KINDS if kind != "noise" or view.noise_mask.any()]
        # Another list of kinds is another widget: a choice that the new attack lacks cannot stay.
        kind = st.segmented_control(
            "Show", kinds, key=f"seen_kind_{len(kinds)}", default="poisoned", required=True, format_func=KINDS.get
        )
        names = [html.unescape(class_name(view.prepared.class_names, c)) for c in range(view.prepared.num_classes)]
        # The names are part of the key: another data set has another list of classes.
        label = st.selectbox(
            "Original class",
            range(-1, len(names)),
            key=f"seen_class_{hash(tuple(names))}",
            width=190,
            format_func=lambda c: "all classes" if c < 0 else names[c],
        )
        numbers = view.numbers(kind, None if label < 0 else label)
        _keep_number(view, numbers, (kind, label))
        st.button(
            "Previous",
            icon=":material/chevron_left:",
            key="previous",
            on_click=_step,
            args=(numbers, -1),
            disabled=len(numbers) < 2,
        )
        st.button(
            "Next",
            icon=":material/chevron_right:",
            icon_position="right",
            key="next",
            on_click=_step,
            args=(numbers, 1),
            disabled=len(numbers) < 2,
        )
        st.number_input("Image number", 0, view.size - 1, step=1, key="seen_number", width=130)
        number = st.session_state["seen_number"] or 0
        place = np.searchsorted(numbers, number)
        among = place < len(numbers) and numbers[place] == number
        st.caption(f"{count(place + 1)} of {count(len(numbers))}" if among else f"{count(len(numbers))} such images")
    return numbers


def _keep_number(view: PoisonedView, numbers: np.ndarray, choice: tuple[object, object]) -> None:
    """Another choice starts at its first image; a number that the set does not have becomes one that it has."""
    state = st.session_state
    number, is_new = state.get("seen_number"), state.get("seen_choice") != (choice, id(view))
    if len(numbers) and (number is None or (is_new and number not in numbers)):
        state["seen_number"] = int(numbers[0])
    if is_new:
        state["seen_page"] = 0
    state["seen_choice"] = (choice, id(view))
    state["seen_number"] = int(min(max(0, state.get("seen_number") or 0), view.size - 1))


def _step(numbers: np.ndarray, by: int) -> None:
    """To the next or previous of these images, around the ends."""
    now = st.session_state.get("seen_number") or 0
    place = np.searchsorted(numbers, now, "right" if by > 0 else "left") - (1 if by < 0 else 0)
    st.session_state["seen_number"] = int(numbers[place % len(numbers)])


def _panes(view: PoisonedView, number: int, palette: Palette) -> str:
    """Original, poisoned, difference and trigger side by side, with what they are called."""
    prepared, trigger = view.prepared, view.trigger
    given, own = (class_name(prepared.class_names, int(y[number])) for y in (prepared.labels, prepared.original_labels))
    kind, difference = view.kind(number), view.difference(number)
    sign, said = TRUTH[kind]
    colour = palette.poison if kind == "poisoned" else palette.clean
    gain = fitting_gain(trigger.difference)
    largest = int(np.abs(difference).max(initial=0))
    panes = [
        ("Original", view.original(number), f"label {own}"),
        ("As trained on", view.poisoned(number), f"label {given}"),
        (
            f"Difference × {GAIN}",
            difference_picture(difference),
            f"mid grey: no change; largest: {largest} of 255 levels",
        ),
        (
            f"Trigger × {gain:.0f}",
            difference_picture(trigger.difference, gain),
            f"on {trigger.ground}" + ("; each image has its own" if trigger.varies else ""),
        ),
    ]
    figures = "".join(_figure(title, pixels, note) for title, pixels, note in panes)
    truth = f'<div class="truth"><b style="color:{colour}">{sign}</b> Image {number} {said}</div>'
    return f'{truth}<div class="panes">{figures}</div>'


def _figure(title: str, pixels: np.ndarray, note: str) -> str:
    """A picture with a title and a note; both are safe text."""
    alt = html.escape(f"{title}, {html.unescape(note)}", quote=True)
    picture = f'<img src="{data_uri(enlarged(pixels, SIDE))}" alt="{alt}">'
    return f"<figure><figcaption><b>{title}</b></figcaption>{picture}<figcaption>{note}</figcaption></figure>"


# -- many images -----------------------------------------------------------------------------------


def _strip(view: PoisonedView, numbers: np.ndarray, number: int, palette: Palette) -> None:
    """The images of the choice, a page at a time; the one that is shown large has a ring."""
    pages = max(1, -(-len(numbers) // A_PAGE))
    page = min(st.session_state.setdefault("seen_page", 0), pages - 1)
    shown = numbers[page * A_PAGE : (page + 1) * A_PAGE]
    with st.container(horizontal=True, vertical_alignment="center"):
        first, last = count(page * A_PAGE + 1), count(page * A_PAGE + len(shown))
        what = f"Images {first} to {last} of {count(len(numbers))}" if len(shown) else "No such images"
        st.markdown(f"**{what}**, as trained on: number, original label → given label")
        st.button("Earlier images", key="earlier", on_click=_turn_to, args=(page - 1,), disabled=page == 0)
        st.button("Later images", key="later", on_click=_turn_to, args=(page + 1,), disabled=page >= pages - 1)
    st.html(f'<div class="strip">{"".join(_small(view, int(i), palette, int(i) == number) for i in shown)}</div>')


def _turn_to(page: int) -> None:
    st.session_state["seen_page"] = page


def _small(view: PoisonedView, number: int, palette: Palette, chosen: bool) -> str:
    prepared = view.prepared
    given, own = (class_name(prepared.class_names, int(y[number])) for y in (prepared.labels, prepared.original_labels))
    poisoned = view.kind(number) == "poisoned"
    labels = f"{own} → {given}" if given != own else f"{own}, kept"
    colour, sign = (palette.poison, "◆") if poisoned else (palette.clean, "○")
    ring = ' class="chosen"' if chosen else ""
    return (
        f'<figure{ring}><img src="{data_uri(thumbnail(view.poisoned(number)))}" alt="image {number}">'
        f'<figcaption><b style="color:{colour}">{sign}</b> {number}<br>{labels}</figcaption></figure>'
    )
