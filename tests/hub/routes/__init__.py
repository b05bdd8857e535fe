"""The routes, by what they are about; importing one registers it."""
