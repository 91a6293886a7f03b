"""Settings by name, as they come from a command line or a study file."""

from typing import Any

from mrs.errors import InputError


def convert_settings(
    what: str, kind: str, settings: dict[str, Any], defaults: dict[str, Any], nullable: tuple = ()
) -> dict[str, Any]:
    """The settings with each value as the type of its default, "true" and "0.1" included.

    `what` names whose settings these are and `kind` what one is called in errors; those in
    `nullable` may be "none". Raises `InputError` for an unknown name or a value of another type.
    """
    values: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in defaults:
            known = ", ".join(defaults) or "none"
            raise InputError(f"{what}: no {kind} {key!r}; known: {known}")
        if str(value).lower() == "none" and key in nullable:
            values[key] = None
        else:
            values[key] = _convert(f"{what}: {key}", value, type(defaults[key]))
    return values


def _convert(what: str, value: Any, wanted: type) -> Any:
    if wanted is bool:
        if str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        raise InputError(f"{what}={value}: write true or false")
    try:
        if wanted is int and float(value) != int(float(value)):
            raise ValueError
        return wanted(float(value)) if wanted is int else wanted(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{what}={value}: write it as {wanted.__name__}") from error
