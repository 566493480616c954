"""The one exception for input that cannot be used, and the line for a disk that refuses."""


class InputError(ValueError):
    """Bad input from outside: a file, a field, a flag, a config key.

    The message is one line that names the file, the field and the value, and is all that a user sees:
    the command line prints it and exits with status 2.
    """


def of_disk(error: OSError) -> str:
    """What the line says of an error that only the disk explains: the file and the reason."""
    return f"{error.filename}: {error.strerror}" if error.filename else " ".join(str(error).split())
