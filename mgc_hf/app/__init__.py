"""A page in the browser that names the genre of a clip: the same file here and in a Space."""
