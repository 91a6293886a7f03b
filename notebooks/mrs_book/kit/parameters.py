"""Parameters of notebook templates as papermill's command line gives them.

`-p k 5` gives a number, `-p k '[5,10]'` a text, and `-p settings a=b` a text too. Whatever can be
read as what is meant is taken so; anything else ends in one line that names the parameter.
"""

from typing import Any

import yaml

from mrs.errors import InputError
from mrs.study import results
from mrs.study.results import Results


def integers(name: str, value: Any) -> tuple[int, ...]:
    """One integer or several: 5, [5, 10], "5", "5,10" or "[5, 10]". Raises `InputError`."""
    if isinstance(value, str):
        text = value.strip()
        value = _read(text if text.startswith(("[", "(")) else f"[{text}]")
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in values):
        raise InputError(f"parameter {name}: {value!r}; write integers such as 5 or [5, 10]")
    return tuple(values)


def mapping(name: str, value: Any) -> dict[str, Any]:
    """Names and values: {"a": 1}, "a=1,b=2" or "{a: 1}". Raises `InputError`."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("{"):
            value = _read(text)
        else:
            pairs = [part.partition("=") for part in text.split(",") if part.strip()]
            good = all(equals and key.strip() for key, equals, _ in pairs)
            value = {key.strip(): _read(one) for key, _, one in pairs} if good else text
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"parameter {name}: {value!r}; write name=value, or a mapping")
    return {str(key): one for key, one in value.items()}


def _read(text: str) -> Any:
    try:
        return yaml.safe_load(text.strip().replace("(", "[").replace(")", "]"))
    except yaml.YAMLError:
        return text


def word(name: str, value: Any) -> str | None:
    """A text, a number as the text that it was; an empty one and "none" are None.

    Raises `InputError`.
    """
    if value is None or value == "" or value == "none":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"parameter {name}: {value!r}; write a name")
    return str(value)


def required(name: str, value: Any) -> str:
    """A `word` that must be there. Raises `InputError`."""
    found = word(name, value)
    if found is None:
        raise InputError(f"parameter {name}: {value!r}; write a name")
    return found


def words(name: str, value: Any) -> list[str]:
    """One name or several: "ndcg", ["ndcg", "recall"], "ndcg,recall". Raises `InputError`."""
    if isinstance(value, str):
        value = value.strip("[]() ").split(",")
    several = value if isinstance(value, list | tuple) else [value]
    return [required(name, one.strip(" \"'") if isinstance(one, str) else one) for one in several]


def open_results(study: Any, store: Any) -> Results:
    """The records of a study file in a store, from a template's parameters."""
    return results.open_results(required("study", study), required("store", store))
