"""The one exception for input that cannot be used."""


class InputError(ValueError):
    """Bad input from outside: a file, a field, a flag, a config key.

    The message is one line that names the file, the field and the value, and is all that a user sees:
    the command line prints it and exits with status 2.
    """
