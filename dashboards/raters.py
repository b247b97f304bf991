"""Who is labelling: whoever signed in, whom a trusted proxy names, or who types a name here.

A label counts as a person's word, so nobody may give one under a name that is not theirs. On this
machine alone a typed name is enough. Where other machines reach the dashboard, somebody has to
vouch for it, and without that labels are off.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import access
import streamlit as st

from judgebench.errors import InputError
from judgebench.labels import LONGEST_NAME, rater_name

HEADER_OPTION = "--rater-header"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rater:
    """A judge ``human/<rater>`` and who says so; ``name`` is empty where ``why_not`` says why."""

    name: str = ""
    vouched: str = ""
    why_not: str = ""


def who() -> Rater:
    """Asks for a name, or to sign in, where that is how raters are known."""
    if (header := header_trusted()) is not None:
        return _named_by(header, _headers().get(header))
    user = _user()
    if "is_logged_in" in user:
        return _signed_in(user)
    if not access.bound_to_loopback():
        return Rater(
            why_not="Labels are off: other machines may reach this dashboard, and nobody is "
            "signed in. How raters sign in stands in docs/labelling.md."
        )
    return _typed()


def header_trusted() -> str | None:
    """The header that the command line says to believe; None, as a rule, where it says nothing."""
    given = sys.argv[1:]
    for place, argument in enumerate(given):
        if argument.startswith(f"{HEADER_OPTION}="):
            return argument.partition("=")[2]
        if argument == HEADER_OPTION and place + 1 < len(given):
            return given[place + 1]
    return None


def _headers() -> Mapping[str, str]:
    return st.context.headers


def _user() -> Mapping[str, Any]:
    """What the identity provider says; without ``is_logged_in`` where none is configured."""
    return st.user.to_dict()


def _named_by(header: str, name: str | None) -> Rater:
    if not name:
        return Rater(
            why_not=f"Labels are off: this request came without the header {header}, in which the "
            "proxy in front of the dashboard is to say who is signed in."
        )
    return _checked(name, f"as {header} says")


def _signed_in(user: Mapping[str, Any]) -> Rater:
    if not user["is_logged_in"]:
        st.button("Sign in", on_click=st.login, type="primary")
        return Rater(why_not="Labels are given by whoever is signed in.")
    address = user.get("email") if user.get("email_verified", True) else None
    return _checked(str(address or user.get("sub") or ""), "signed in")


def _typed() -> Rater:
    """Once given, the name stands in the URL, and the field is gone: it would swallow the keys."""
    if named := name_given():
        st.query_params["rater"] = named
        st.button("Another name", on_click=_forget, width="stretch")
        return _checked(named, "")
    st.text_input(
        "Your name", key="typed_name", max_chars=LONGEST_NAME, on_change=_remember, width=400,
        placeholder="as it will stand beside your labels",
    )  # fmt: skip
    return Rater(why_not="Say who you are, and press Enter.")


def name_given() -> str:
    """What was typed, in this session or into the URL; empty before that."""
    typed: str = st.query_params.get("rater") or st.session_state.get("rater", "")
    return typed


def _remember() -> None:
    st.session_state["rater"] = st.session_state["typed_name"].strip()


def _forget() -> None:
    st.session_state["rater"] = ""
    st.query_params.pop("rater", None)


def _checked(name: str, vouched: str) -> Rater:
    try:
        return Rater(name=rater_name(name), vouched=vouched)
    except InputError as error:
        return Rater(why_not=str(error))
