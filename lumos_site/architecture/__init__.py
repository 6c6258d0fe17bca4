"""The map of this installation's modules, read from the code and from the running servers; nothing of it by hand."""
