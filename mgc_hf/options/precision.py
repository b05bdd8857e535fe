"""Chooses the arithmetic of training: float32, or bfloat16 or float16 under autocast. Weights are float32 in each.

Asked are, in this order, the options, the configuration of `accelerate launch` (which reaches us as an environment
variable) and, where both leave it open, the device.
"""

import os
from typing import Literal, NamedTuple

from mgc_hf.errors import OptionError

#: How `accelerate launch` hands its `--mixed_precision`, or that of its configuration file, to the processes.
LAUNCH_VARIABLE = "ACCELERATE_MIXED_PRECISION"

Mode = Literal["no", "bf16", "fp16"]


class Precision(NamedTuple):
    """What was chosen: a mode in accelerate's words, and a line for the log where the user should hear of it."""

    mode: Mode
    said: str | None = None


def choose_precision(bf16: bool | None, fp16: bool, use_cpu: bool) -> Precision:
    """Choose the arithmetic of training.

    Args:
        bf16 (`bool`, *optional*): As asked for. `False` is the default of some recipes, so a launch configuration that
            asks for an autocast is followed all the same; `None` leaves the rest to the device.
        fp16 (`bool`): As asked for.
        use_cpu (`bool`): Whether the CPU is used where there is a GPU.

    Raises:
        OptionError: The options contradict each other or the launch configuration, or ask for what is not there.
    """
    launch = os.environ.get(LAUNCH_VARIABLE, "no").lower()
    if bf16 and fp16:
        raise OptionError("--bf16 and --fp16 are both given; leave one of them out")
    asked = "bf16" if bf16 else "fp16" if fp16 else None
    _check_launch(launch, asked)
    device = _device_type(use_cpu)
    if device != "cuda" and "fp16" in (asked, launch):
        source = "--fp16" if asked else "accelerate launch --mixed_precision fp16"
        raise OptionError(f"{source} needs a GPU, and none is used here; bf16 works on a CPU")
    if asked is None and launch in ("bf16", "fp16"):
        return Precision("bf16" if launch == "bf16" else "fp16", f"{launch} autocast, as accelerate launch asks for")
    if fp16:
        return Precision("fp16")
    if bf16 is False:
        return Precision("no")
    name, has_bf16 = {"cuda": "GPU", "cpu": "CPU"}.get(device, device), _has_bf16(device)
    if bf16:
        return Precision(
            "bf16", None if has_bf16 else f"this {name} has no bfloat16 instructions: --bf16 is slower than float32"
        )
    if has_bf16:
        return Precision(
            "bf16", f"bf16 autocast, since this {name} has bfloat16 instructions; --bf16 false switches it off"
        )
    return Precision("no", f"float32, since this {name} has no bfloat16 instructions")


def _check_launch(launch: str, asked: str | None) -> None:
    if launch not in ("no", "bf16", "fp16"):
        raise OptionError(
            f"accelerate launch asks for --mixed_precision {launch}; it must be one of no, bf16, fp16 here"
        )
    if launch != "no" and asked not in (None, launch):
        raise OptionError(
            f"--{asked} is given, but accelerate launch asks for {launch} (its --mixed_precision or its configuration "
            f"file): give --{launch} true, or launch with --mixed_precision {asked}"
        )


def _device_type(use_cpu: bool) -> str:
    import torch
    from accelerate.utils import parse_flag_from_env

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if use_cpu or parse_flag_from_env("ACCELERATE_USE_CPU") or accelerator is None:
        return "cpu"
    return accelerator.type


def _has_bf16(device: str) -> bool:
    """Whether a device multiplies bfloat16 without emulation; other devices than these two were not measured."""
    import torch

    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities() if device == "cpu" else {}
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
