"""Errors: one line each, an exit status, and whole after a trip between processes."""

import pickle

import pytest

from mgc_hf import errors
from mgc_hf.errors import AudioError, LabelError, MgcHfError, OptionError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MgcHfError)]


def test_all_kinds_share_a_base_and_only_usage_exits_with_2():
    assert len(KINDS) >= 9
    assert {kind for kind in KINDS if kind.exit_status == 2} == {OptionError}
    assert all(kind.exit_status in (1, 2) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_survive_pickling(kind):
    """`datasets.map(num_proc=2)` sends a worker's error home in a pickle; one that cannot be read hangs the pool."""
    error = kind("a.wav", "it is silent", "silent") if kind is AudioError else kind("what is wrong")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def test_audio_error_names_the_file():
    error = AudioError("a/b.wav", "holds no sample", "empty")
    assert str(error) == "a/b.wav: holds no sample"
    assert (error.path, error.reason, error.kind) == ("a/b.wav", "holds no sample", "empty")
    assert AudioError("a", "b").kind == "unreadable"


def test_label_error_keeps_both_lists():
    error = pickle.loads(pickle.dumps(LabelError("labels differ", ("polka",), iter(["jazz"]))))
    assert (error.unknown, error.missing) == (["polka"], ["jazz"])
