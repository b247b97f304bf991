"""What every page does: select, with every choice in the URL; compute; draw; offer the download.

A page is one file of ``views/``, whose last line calls `show` with its title and what draws it. See
`answers.State` for what it asks, and `widgets` for what it draws with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import streamlit as st
from answers import State
from open_store import NoStoreError
from streamlit.delta_generator import DeltaGenerator

from judgebench.errors import JudgebenchError
from judgebench.reports.document import Document
from judgebench.reports.render import render
from judgebench.store.store import Store

FIRST_STEPS = "judgebench run suites/demo.yaml"


def state() -> State:
    """The state of the store that this page shows."""
    return State(st.session_state["store"], st.session_state.get("mark", ""))


def show(title: str, body: Callable[[State, DeltaGenerator], None]) -> None:
    """A page. ``body`` is given the state of the store, and a line below the title to fill."""
    st.title(title)
    identity = st.empty()
    or_say_what_is_wrong(lambda: body(state(), identity))


def or_say_what_is_wrong(draw: Callable[[], None]) -> None:
    """Draw; where the store is absent or cannot be read, say so and what to do."""
    try:
        draw()
    except NoStoreError as absent:
        st.info("There is no store here yet. A run makes one:", icon="📭")
        st.code(FIRST_STEPS, language=None)
        st.text(f"Looked for {absent}")
    except JudgebenchError as error:
        st.error("This cannot be shown.", icon="⛔")
        st.text(str(error))


def empty(what: str, command: str = FIRST_STEPS) -> None:
    """What a page says that has nothing to show, and what to type. Both texts are ours."""
    st.info(what, icon="📭")
    st.code(command, language=None)


# select -----------------------------------------------------------------------------------------


def _chosen_elsewhere() -> dict[str, Any]:
    """What was chosen on this or another page, by parameter: it outlives a change of page."""
    kept: dict[str, Any] = st.session_state.setdefault("kept", {})
    return kept


def _remember(key: str, value: str | Sequence[str] | None) -> None:
    """Have a choice in the URL; None or nothing takes it out."""
    if not value:
        st.query_params.pop(key, None)
    elif st.query_params.get_all(key) != ([value] if isinstance(value, str) else value):
        st.query_params[key] = value


def choose(
    label: str,
    options: Sequence[str],
    key: str,
    *,
    default: str | None = None,
    shows: Mapping[str, str] | None = None,
    kept_as: str | None = None,
    at: DeltaGenerator | None = None,
) -> str:
    """One of some options.

    Parameters
    ----------
    at
        Where on the page, where that is not below.
    shows
        What an option is called where that is not its name.
    kept_as
        A name of this page's own, where what others have chosen means nothing here.
    """
    kept, kept_as = _chosen_elsewhere(), kept_as or key
    wanted = (st.query_params.get(key), kept.get(kept_as), default)
    start = next((options.index(name) for name in wanted if name in options), 0)
    picked: str = (at or st).selectbox(
        label,
        list(options),
        index=start,
        format_func=lambda option: shows.get(option, option) if shows else option,
        # A key of its own for each set of options: a choice among others is none among these.
        key="\0".join([key, *options]),
    )
    kept[kept_as] = picked
    if st.query_params.get(key, "") != picked:
        st.query_params[key] = picked
    return picked


def optional(label: str, options: Iterable[str], key: str, no_choice: str, **how: Any) -> str:
    """One of some options, or none of them, which is empty; otherwise as `choose`."""
    return choose(label, ["", *options], key, shows={"": no_choice}, **how)


def named_in_url(names: Mapping[str, str], *keys: str) -> None:
    """Have what a link calls otherwise, by an id, called as the page does: name by id."""
    for key in keys:
        linked = st.query_params.get_all(key)
        if any(one in names for one in linked):
            st.query_params[key] = [names.get(one, one) for one in linked]


def several(
    label: str,
    options: Sequence[str],
    key: str,
    start: Sequence[str] = (),
    *,
    kept_as: str | None = None,
    outlives: bool = True,
    at: DeltaGenerator | None = None,
    **how: Any,
) -> list[str]:
    """Some of the options, to begin with those of ``start``.

    ``kept_as`` and ``at`` as in `choose`; ``outlives`` says whether a change of page leaves them.
    """
    kept, kept_as = _chosen_elsewhere() if outlives else {}, kept_as or key
    linked = st.query_params.get_all(key) or kept.get(kept_as, [])
    chosen = [one for one in linked if one in options] or list(start)
    picked = (at or st).multiselect(
        label, list(options), default=chosen, key="\0".join([key, *options]), **how
    )
    kept[kept_as] = picked
    _remember(key, picked)
    return picked


def switch(label: str, key: str, *, usual: bool, of: object, says: str) -> bool:
    """A switch that the URL remembers where it is not as usual; ``of``: what it belongs to."""
    wanted = st.toggle(
        label,
        value=st.query_params.get(key, "01"[usual]) == "1",
        key="\0".join([key, f"{of}", f"{usual}"]),
        help=says,
    )
    _remember(key, None if wanted == usual else "01"[wanted])
    return wanted


def written(
    label: str,
    key: str,
    hint: str,
    *,
    most: int,
    outlives: bool = True,
    at: DeltaGenerator | None = None,
) -> str:
    """A line of text; ``outlives`` says whether other pages keep it, ``at`` is as in `choose`."""
    kept = _chosen_elsewhere() if outlives else {}
    start = st.query_params.get(key, kept.get(key, ""))
    text = (at or st).text_input(
        label, start, key=f"{key}_written", placeholder=hint, max_chars=most
    )
    kept[key] = text
    _remember(key, text)
    return text or ""


def forget(*keys: str) -> None:
    """Let select boxes of `choose` take what the URL says, as a callback may have changed it."""
    for name in list(st.session_state):
        if isinstance(name, str) and name.partition("\0")[0] in keys and "\0" in name:
            del st.session_state[name]


Telling: TypeAlias = Callable[[], Iterable[tuple[str, str]]]
"""Name and version of the benchmarks that a page has something to say about, the best first."""


def choose_benchmark(
    shown: State, widths: Sequence[float], telling: Telling
) -> tuple[list[DeltaGenerator], str, str] | None:
    """As `choose_among`; None, and what to type, where the store knows no benchmark."""
    known = shown.read(Store.benchmarks)
    if not known:
        empty("The store is empty. A run fills it:")
        return None
    return choose_among(known, widths, telling)


def choose_among(
    known: Sequence[tuple[str, str]], widths: Sequence[float], telling: Telling
) -> tuple[list[DeltaGenerator], str, str]:
    """A row of selectors: benchmark and version chosen, and the places left to fill.

    A link says which. What a reader chose on another page is kept where this page has something to
    say about it; else the page opens on the best of `telling`.
    """
    names = list(dict.fromkeys(name for name, _ in known))
    best = None
    if st.query_params.get("benchmark") not in names:
        best = _opens_on(telling)
    places = st.columns(list(widths))
    benchmark = choose("Benchmark", names, "benchmark", default=best and best[0], at=places[0])
    versions = [version for name, version in known if name == benchmark]
    told = best is not None and best[0] == benchmark and best[1] in versions
    last = best[1] if best and told else versions[-1]
    version = choose("Version", versions, "version", default=last, at=places[1])
    return places[2:], benchmark, version


def _opens_on(telling: Telling) -> tuple[str, str] | None:
    """Where a page begins that no link leads to a benchmark of; None at the first there is."""
    kept = _chosen_elsewhere()
    chosen = kept.get("benchmark")
    by_itself = chosen == st.session_state.get("opened on")
    if chosen and not by_itself and any(chosen == name for name, _ in telling()):
        return None
    for name in ("benchmark", "version"):
        kept.pop(name, None)
    best = next(iter(telling()), None)
    st.session_state["opened on"] = best and best[0]
    return best


# offer ------------------------------------------------------------------------------------------

FORMS = {
    "csv": ("CSV", "text/csv"),
    "md": ("Markdown", "text/markdown"),
    "latex": ("LaTeX", "text/x-tex"),
    "json": ("JSON", "application/json"),
    "html": ("HTML", "text/html"),
}
"""What a report is offered in, as `judgebench.reports` renders it."""


def offer(
    name: str,
    documents: Callable[[], Sequence[Document]],
    forms: Iterable[str] = tuple(FORMS),
) -> None:
    """Buttons that download reports in each of `FORMS`; they are written when one is pressed.

    Parameters
    ----------
    name
        Of the file, without its suffix.
    documents
        Says the reports; called later and elsewhere, so that it may know nothing of the session.
    """
    with st.container(horizontal=True):
        for form in forms:
            label, mime = FORMS[form]
            st.download_button(
                f"Download {label}",
                partial(rendered, documents, form),
                file_name=f"{name}.{'tex' if form == 'latex' else form}",
                mime=mime,
                key=f"download {form}",
                on_click="ignore",
            )


def rendered(documents: Callable[[], Sequence[Document]], form: str) -> str:
    """Reports as the command line writes them; several one behind the other."""
    found = documents()
    if len(found) == 1:
        return render(found[0], form)
    tables, records = (
        [part for one in found for part in getattr(one, parts)] for parts in ("tables", "records")
    )
    return render(Document(tables=tables, records=records, data=[one.data for one in found]), form)
