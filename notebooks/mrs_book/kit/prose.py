"""Texts that users wrote, made safe for a page of Markdown."""

import re

_MARKS = re.compile(r"([\\`*_{}\[\]<>#$~|!&^])")
_DIRECTIVE = re.compile(r"([`~:]{3}[ \t]*)\{")  # "```{raw}", as MyST runs it
_ROLE = re.compile(r"\{(?=[^{}\s]+\}`)")  # "{eval}`...`"


def literal(text: str) -> str:
    """A name or title in one line of Markdown in which nothing is markup."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def note(text: str) -> str:
    """A note in Markdown whose directives and roles are text: links and emphasis stay."""
    return _ROLE.sub(r"\\{", _DIRECTIVE.sub(r"\1\\{", text))
