"""Sphinx: Markdown in, HTML out. Build with `.venv/bin/sphinx-build -W docs docs/_build`."""

project = "Lumos"
author = "The Lumos authors"
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "Lumos"
exclude_patterns = ["_build"]
suppress_warnings = ["myst.xref_missing"]  # links to files outside docs/, which the repository's browser resolves
