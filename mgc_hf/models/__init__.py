"""Models of our own, one folder each in transformers' layout, and the one door to build any model."""
