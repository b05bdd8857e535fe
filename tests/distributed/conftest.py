from tests.training.conftest import _quick, forked

__all__ = ["_quick", "forked"]
