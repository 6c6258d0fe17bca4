"""Trying a model in the browser, through the same gateway as every program."""
