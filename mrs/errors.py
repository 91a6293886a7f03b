"""The one exception for mistakes in what the user supplied."""


class InputError(Exception):
    """A mistake in a file, a name or a parameter that the user supplied.

    The message is one line that names the file, the row where there is one, what is wrong and
    what to do about it. The command line prints it and exits with status 2.
    """
