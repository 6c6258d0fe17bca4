"""What can stop an embedded server from being started, each with one sentence for the person at the terminal."""


class EmbeddedServerError(Exception):
    """The message says what is wrong and what to do."""


class NotYet(Exception):
    """The server does not let the product's role in yet; ask again."""
