"""A Sphinx extension that escapes the titles which the theme prints as they are."""

import html
from typing import Any

TITLES = ("pagetitle", "root_title")  # the heading in print, and the first page in the side bar


def escape_titles(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Make text of the HTML in a page's titles, after the theme has set them."""
    context.update({name: html.escape(context[name]) for name in TITLES if name in context})


def setup(app: Any) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("html-page-context", escape_titles, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
