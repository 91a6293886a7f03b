"""Tables as the notebooks show them: a static HTML table, or a sortable one that works offline."""

import html
import math
from collections.abc import Mapping
from typing import Any

import polars as pl
from IPython.display import HTML, display

from mrs_book.kit.style import Source, page_source

LONG = 50  # letters of a cell that is a sentence
_ready = False  # whether this notebook holds the script of sortable tables already


def show(
    df: pl.DataFrame,
    caption: str = "",
    *,
    sortable: bool = False,
    decimals: int | Mapping[str, int] = 4,
    links: Mapping[str, str] | None = None,
    block: str | None = None,
    source: Source | None = None,
) -> None:
    """Display a table in a notebook; one without rows shows nothing.

    Text is escaped, numbers stand on the right, null and NaN are empty cells, lists are joined by
    commas. `decimals` holds for all columns of floats, or is a mapping from column to number with
    4 for the rest. `links` maps a column to the column that holds its cells' addresses, which is
    not shown itself. `block` names a column whose equal values become blocks with a heading, in
    the order in which they come first (static tables only). The caption ends with what the table
    rests on, `source`, or that of the page. `sortable` gives a table with sorting
    and search; the first one in a notebook brings its script along (1 MB), nothing is loaded from
    elsewhere.
    """
    if not len(df):
        return
    source = source or page_source()
    if sortable:
        _sortable(df, _caption(caption, source), decimals, links or {})
        return
    table = static_table(df, caption, decimals=decimals, links=links, block=block, source=source)
    display(HTML(table))


def static_table(
    df: pl.DataFrame,
    caption: str = "",
    *,
    decimals: int | Mapping[str, int] = 4,
    links: Mapping[str, str] | None = None,
    block: str | None = None,
    source: Source | None = None,
) -> str:
    """The HTML of a static table. See `show`."""
    links = links or {}
    shown = [c for c in df.columns if c not in links.values() and c != block]
    kind = {c: _column_class(df[c]) for c in shown}
    lines = ['<div class="table-box"><table class="data">']
    if words := _caption(caption, source):
        lines.append(f"<caption><span>{words}</span></caption>")
    heads = "".join(f'<th scope="col"{kind[c]}>{html.escape(c)}</th>' for c in shown)
    lines.append(f"<thead><tr>{heads}</tr></thead><tbody>")
    if block and len(df):
        df = pl.concat(df.partition_by(block, maintain_order=True))
    before = None
    for row in df.iter_rows(named=True):
        if block and row[block] != before:
            before = row[block]
            title = html.escape(cell_text(before))
            lines.append(
                f'<tr class="block"><th scope="rowgroup" colspan="{len(shown)}">{title}</th></tr>'
            )
        addresses = {column: row[address] for column, address in links.items()}
        cells = (
            f"<td{kind[c]}>{_cell(row[c], addresses.get(c), _places(decimals, c))}</td>"
            for c in shown
        )
        lines.append(f"<tr>{''.join(cells)}</tr>")
    lines.append("</tbody></table></div>")
    return "\n".join(lines)


def _caption(caption: str, source: Source | None) -> str:
    """The caption's HTML, with what the table rests on."""
    return " ".join(
        part for part in (html.escape(caption), source.html() if source else "") if part
    )


def _column_class(values: pl.Series) -> str:
    """Numbers stand on the right; a column of sentences keeps a width to be read in."""
    if values.dtype.is_numeric():
        return ' class="number"'
    longest = values.str.len_chars().max() if values.dtype == pl.String else None
    return ' class="long"' if longest is not None and longest > LONG else ""  # type: ignore[operator]


def cell_text(value: Any, decimals: int = 4) -> str:
    """A value as a table shows it, not escaped."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{decimals}f}"
    if isinstance(value, list | tuple | pl.Series):
        return ", ".join(cell_text(item, decimals) for item in value)
    return str(value)


def ends_text(low: float | None, high: float | None, form: str = ".4f") -> str:
    """The ends of an interval in a sentence, or that there are too few users for one."""
    if low is None or high is None:
        return "too few users for an interval"
    return f"{low:{form}} to {high:{form}}"


def _places(decimals: int | Mapping[str, int], column: str) -> int:
    return decimals if isinstance(decimals, int) else decimals.get(column, 4)


def _cell(value: Any, address: str | None, decimals: int) -> str:
    text = html.escape(cell_text(value, decimals))
    return f'<a href="{html.escape(address)}">{text}</a>' if address else text


def _sortable(
    df: pl.DataFrame, caption: str, decimals: int | Mapping[str, int], links: Mapping[str, str]
) -> None:
    """Display a sortable table; `caption` is HTML."""
    import itables  # takes seconds, and most pages have no sortable table

    global _ready
    if not _ready:
        itables.init_notebook_mode(all_interactive=False, connected=False)
        _ready = True
    shown: list[pl.Series] = []
    renderers = []
    for name in df.columns:
        values, places = df[name], _places(decimals, name)
        if name in links.values():
            continue
        if values.dtype.is_float():
            values = values.fill_nan(None)
            shorten = itables.JavascriptFunction(
                "function (value, use) { return use === 'display' && value !== null"
                f" ? value.toFixed({places}) : value; }}"
            )
            renderers.append({"targets": [len(shown)], "render": shorten})
        elif not values.dtype.is_integer():
            addresses = df[links[name]] if name in links else [None] * len(df)
            cells = [_cell(v, a, places) for v, a in zip(values, addresses, strict=True)]
            values = pl.Series(name, cells, dtype=pl.String)
        shown.append(values.alias(html.escape(name)))
    itables.show(
        pl.DataFrame(shown),
        caption or None,
        allow_html=True,  # the cells are escaped above
        columnDefs=renderers,
        connected=False,
        show_dtypes=False,
        showIndex=False,
        display_logo_when_loading=False,
        maxBytes=0,
        paging=len(df) > 50,
        pageLength=50,
        style="width:100%;margin:0;caption-side:top",
        classes="display compact",
    )
