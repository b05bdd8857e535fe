"""Scores: `metrics` (evaluate's classes), `intervals` (bootstrap by track) and `score`, which calls both. No torch."""
