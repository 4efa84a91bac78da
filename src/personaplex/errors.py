"""The one exception that every room may raise at its user. It knows nothing of the command line that prints it."""


class UserError(Exception):
    """A mistake of the user's: one clear sentence that says what to do; the command ends with exit status 2."""
