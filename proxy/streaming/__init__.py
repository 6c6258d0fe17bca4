"""Server-sent events of a completion on their way through; owns scanning, refuses to know who sends or reads."""
