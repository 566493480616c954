"""The exceptions for input and signals, the warning for input, and one-line messages for other errors."""


class InputError(ValueError):
    """Bad input from outside: a file, a field, a flag, a config key.

    The message is one line that names the file, the field and the value, and is all that a user sees:
    the command line prints it and exits with status 2.
    """


class InputWarning(UserWarning):
    """Input that is used, but not as given; one line, which the commands print on standard error."""


def of_type(value: object, kinds: type | tuple[type, ...], name: str, expected: str) -> None:
    """Raises InputError if an argument, called `name`, is not of one of the types. A bool is no number."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is int):
        plain = value is None or isinstance(value, str | int | float)
        shown = f"{value!r:.60}" if plain else type(value).__name__
        raise InputError(f"{name}: {shown}, expected {expected}")


class Stopped(KeyboardInterrupt):
    """Ctrl-C or SIGTERM ended the work in order. The message says where; the exit status is 128 +
    `number`."""

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.number = number


def os_error_line(error: OSError) -> str:
    """The message for an error of the operating system: the file, if known, and the reason."""
    return f"{error.filename}: {error.strerror}" if error.filename else " ".join(str(error).split())


def first_line(error: Exception) -> str:
    """The first line of an error's text, or the name of its type if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
