"""Runs compared: two on the test tracks that they share, and many in one report.

The report walks one way: run folders → `material` → sections (`sections` says what one is; the modules that make them are
pure functions of the material) → Markdown, the page, pictures and `results.parquet` (`writing`). `experiment` makes the
runs that are not there yet.
"""
