import logging

import pytest
import torch

from mgc_hf import record
from mgc_hf.errors import OptionError
from mgc_hf.options import SPEECH_DEFAULTS, parse_options
from mgc_hf.options.precision import LAUNCH_VARIABLE, choose_precision


@pytest.fixture
def machine(monkeypatch):
    """A function that makes this machine have a device, with bfloat16 instructions or without, and a launcher."""

    def become(device="cpu", has_bf16=True, launch=None):
        accelerator = None if device == "cpu" else torch.device(device)
        monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: accelerator)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True} if has_bf16 else {})
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bf16)
        monkeypatch.setenv(LAUNCH_VARIABLE, launch) if launch else monkeypatch.delenv(LAUNCH_VARIABLE, raising=False)

    become()
    return become


def parse(*argv, **defaults):
    return parse_options({"output_dir": "out", "dataset": "demo", **defaults}, list(argv))


@pytest.mark.parametrize(
    ("device", "has_bf16", "mode", "said"),
    [
        ("cpu", True, "bf16", "bf16 autocast, since this CPU has bfloat16 instructions; --bf16 false switches it off"),
        ("cpu", False, "no", "float32, since this CPU has no bfloat16 instructions"),
        (
            "cuda",
            True,
            "bf16",
            "bf16 autocast, since this GPU has bfloat16 instructions; --bf16 false switches it off",
        ),
        ("cuda", False, "no", "float32, since this GPU has no bfloat16 instructions"),
        ("mps", True, "no", "float32, since this mps has no bfloat16 instructions"),
    ],
)
def test_left_open_the_device_decides(machine, device, has_bf16, mode, said):
    machine(device, has_bf16)
    assert choose_precision(None, False, use_cpu=False) == (mode, said)


def test_a_cpu_that_is_asked_for_decides_for_itself(machine, monkeypatch):
    machine("cuda", has_bf16=False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert choose_precision(None, False, use_cpu=True).mode == "bf16"
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert choose_precision(None, False, use_cpu=False).mode == "bf16"


def test_what_is_asked_for_is_done(machine):
    assert choose_precision(False, False, use_cpu=False) == ("no", None)
    assert choose_precision(True, False, use_cpu=False) == ("bf16", None)
    machine("cuda", has_bf16=False)
    assert choose_precision(None, True, use_cpu=False) == ("fp16", None)
    machine(has_bf16=False)
    assert choose_precision(False, False, use_cpu=False) == ("no", None)
    mode, said = choose_precision(True, False, use_cpu=False)
    assert mode == "bf16"
    assert "slower" in said


@pytest.mark.parametrize(
    ("bf16", "fp16", "launch", "mode"),
    [
        (None, False, "no", "no"),
        (None, False, "bf16", "bf16"),
        (None, False, "fp16", "fp16"),
        (False, False, "fp16", "fp16"),
        (True, False, "bf16", "bf16"),
        (None, True, "fp16", "fp16"),
        (True, False, "no", "bf16"),
        (False, False, "bf16", "bf16"),  # false is what a recipe's default may be
    ],
)
def test_the_launch_configuration_is_honoured(machine, bf16, fp16, launch, mode):
    machine("cuda", has_bf16=False, launch=launch)
    assert choose_precision(bf16, fp16, use_cpu=False).mode == mode


@pytest.mark.parametrize(
    ("bf16", "fp16", "launch", "message"),
    [
        (True, False, "fp16", r"--bf16 is given, but .* asks for fp16 .* --fp16 true, or .* --mixed_precision bf16"),
        (None, True, "bf16", r"--fp16 is given, but .* asks for bf16"),
        (None, False, "fp8", r"fp8; it must be one of no, bf16, fp16"),
        (True, True, "no", r"--bf16 and --fp16 are both given"),
    ],
)
def test_contradictions_are_explained(machine, bf16, fp16, launch, message):
    machine("cuda", launch=launch)
    with pytest.raises(OptionError, match=message):
        choose_precision(bf16, fp16, use_cpu=False)


@pytest.mark.parametrize(("fp16", "launch"), [(True, "no"), (False, "fp16")])
def test_fp16_needs_a_gpu(machine, fp16, launch):
    machine(launch=launch)
    with pytest.raises(OptionError, match=r"fp16 needs a GPU.*bf16 works on a CPU"):
        choose_precision(None, fp16, use_cpu=False)


def test_the_options_hold_and_the_record_tells_what_was_chosen(machine, caplog):
    options = parse(**SPEECH_DEFAULTS)
    assert options.train.bf16 is True
    assert options.train.mixed_precision == "bf16"
    assert record.precision(options) == "bf16 autocast"
    assert [(entry.levelno, entry.message.count("bf16")) for entry in caplog.records] == [(logging.WARNING, 2)]
    options = parse("--bf16", "false", **SPEECH_DEFAULTS)
    assert options.train.bf16 is False
    assert record.precision(options) == "float32"
    machine(launch="bf16")
    assert record.precision(parse(**SPEECH_DEFAULTS)) == "bf16 autocast"


def test_the_lstm_stays_in_float32(machine, caplog):
    options = parse()
    assert record.precision(options) == "float32"
    assert options.train.mixed_precision == "no"
    assert not caplog.records


def test_bf16_on_a_cpu_keeps_the_timeout_of_several_processes(machine):
    """The Trainer hands `ddp_timeout` on only where `use_cpu` is off."""
    assert parse("--bf16", "true", "--ddp_timeout", "50").train.use_cpu is False
