"""Model cards: the README.md of a model folder, generated from the record."""
