"""Models of our own, one folder each in transformers' layout, and the one door to build any model."""

#: Model types whose code lies here and goes along with their weights; as names they build one from scratch.
OWN_MODELS = ("mel_lstm", "stats_floor")

#: What recipes train unless told otherwise.
DEFAULT_MODEL = OWN_MODELS[0]
