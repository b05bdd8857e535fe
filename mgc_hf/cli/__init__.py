"""The `mgc-hf` command: one file per sub-command; each parses, calls one function, and prints."""
