from tests.training.conftest import forked

__all__ = ["forked"]
