"""The exceptions for invalid input and for signals, and one-line messages for errors of the disk and of other
libraries."""


class InputError(ValueError):
    """Bad input from outside: a file, a field, a flag, a config key.

    The message is one line that names the file, the field and the value, and is all that a user sees:
    the command line prints it and exits with status 2.
    """


class Stopped(KeyboardInterrupt):
    """Ctrl-C or SIGTERM ended the work in order. The message says where; the exit status is 128 +
    `number`."""

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.number = number


def of_disk(error: OSError) -> str:
    """The message for an error of the operating system: the file, if known, and the reason."""
    return f"{error.filename}: {error.strerror}" if error.filename else " ".join(str(error).split())


def first_line(error: Exception) -> str:
    """The first line of an error's text, or the name of its type if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
