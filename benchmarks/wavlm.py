"""How fast WavLM is, and what memory it takes, with our attention and with transformers' own (the eager one alone).

    python benchmarks/wavlm.py                                       # WavLM-base from scratch, 10, 20 and 30 s
    python benchmarks/wavlm.py --batch 2 --bf16
    python benchmarks/wavlm.py --device cuda --bf16 --batch 8 --repeats 20

Both have the same weights and get the same noise, in turn, `--repeats` times; a ratio is the median over the rounds, so
that a change in the machine's load meets both, and stands with its quartiles. "forward" is a pass in evaluation mode
without gradients, "step" a pass and the backward pass in training mode, dropout on (layerdrop and time masks, which
differ from draw to draw, are off), all weights trained. Peak memory is that of one step at the longest length, each in
a process of its own: on a CPU the growth of the largest resident size over that before the step, on a GPU the largest
size that torch had allocated, less the same. Ends with status 1 if the outputs differ by more than 1e-4 of the largest
in float32 (0.05 under `--bf16`).
"""

import argparse
import copy
import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from memory import peak_mib
from transformers import WavLMConfig, WavLMForSequenceClassification

from mgc_hf.models.wavlm_attention import use_sdpa

RATE = 16000
NAMES = ("eager", "ours")


def build(args: argparse.Namespace) -> WavLMForSequenceClassification:
    """Return WavLM-base with random weights and transformers' attention."""
    torch.manual_seed(0)
    values = {"attention_dropout": args.attention_dropout, "layerdrop": 0.0, "mask_time_prob": 0.0, "num_labels": 10}
    model = WavLMForSequenceClassification(WavLMConfig(**values))
    # as large as in a trained model: near zero it would not show in the logits
    torch.nn.init.normal_(model.wavlm.encoder.layers[0].attention.rel_attn_embed.weight)
    return model.to(args.device)


def noise(args: argparse.Namespace, seconds: float) -> dict[str, torch.Tensor]:
    """Return a batch of noise and labels."""
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(args.batch, round(seconds * RATE), generator=generator)
    return {"input_values": values.to(args.device), "labels": torch.arange(args.batch, device=args.device) % 10}


def forward(model: torch.nn.Module, inputs: dict[str, torch.Tensor], bf16: bool) -> torch.Tensor:
    """Return the logits, in evaluation mode and without gradients."""
    model.eval()
    with torch.no_grad(), torch.autocast(inputs["labels"].device.type, torch.bfloat16, enabled=bf16):
        return model(**inputs).logits.float()


def step(model: torch.nn.Module, inputs: dict[str, torch.Tensor], bf16: bool) -> None:
    """Forward and backward in training mode, without an optimizer's step."""
    model.train()
    with torch.autocast(inputs["labels"].device.type, torch.bfloat16, enabled=bf16):
        loss = model(**inputs).loss
    loss.backward()
    model.zero_grad(set_to_none=False)  # gradients stay where they are: their memory is no matter of attention


def seconds_of(work: Callable[[], object], device: str) -> float:
    """Return the wall seconds that work takes, the device's included."""
    if device != "cpu":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(works: dict[str, Callable[[], object]], repeats: int, device: str) -> np.ndarray:
    """Run each in turn, the first in every second round last; return wall seconds, `(repeats, len(works))`."""
    for work in works.values():
        work()
    rounds = []
    for index in range(repeats):
        order = list(works) if index % 2 else list(reversed(works))
        taken = {name: seconds_of(works[name], device) for name in order}
        rounds.append([taken[name] for name in works])
    return np.array(rounds)


def peak_of_a_step(args: argparse.Namespace, name: str) -> float:
    """Return the memory that one step takes beyond weights and gradients, MiB. For a fresh process."""
    model = build(args)
    if name == "ours":
        use_sdpa(model)
    step(model, noise(args, 1.0), args.bf16)  # loads libraries, makes the gradients
    inputs = noise(args, max(args.seconds))
    if args.device != "cpu":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step(model, inputs, args.bf16)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    before = peak_mib()
    step(model, inputs, args.bf16)
    return peak_mib() - before


def peaks(args: argparse.Namespace) -> dict[str, float]:
    """Return the peak memory of a step of each, MiB, each measured in a process of its own."""
    found = {}
    for name in NAMES:
        command = [sys.executable, str(Path(__file__).resolve()), *sys.argv[1:], "--memory_of", name]
        result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=1800)
        found[name] = json.loads(result.stdout)
    return found


def main() -> int:
    """Print times, ratios and memory; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0, 20.0, 30.0], help="(default: 10 20 30)")
    parser.add_argument("--batch", type=int, default=1, help="clips in a batch (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="torch's threads on the CPU (default: torch's own choice)")
    parser.add_argument("--bf16", action="store_true", help="bfloat16 autocast in place of float32")
    parser.add_argument(
        "--attention_dropout", type=float, default=WavLMConfig().attention_dropout, help="(default: %(default)s)"
    )
    parser.add_argument("--no_memory", action="store_true", help="leave the memory out")
    parser.add_argument("--memory_of", choices=NAMES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.memory_of:
        print(json.dumps(peak_of_a_step(args, args.memory_of)))
        return 0

    eager = build(args)
    models = {"eager": eager, "ours": copy.deepcopy(eager)}
    use_sdpa(models["ours"])
    size = sum(weight.numel() for weight in eager.parameters()) / 1e6
    place = f"{torch.get_num_threads()} threads" if args.device == "cpu" else torch.cuda.get_device_name()
    print(
        f"WavLM-base from scratch, {size:.1f} M weights, batch {args.batch}, {'bfloat16' if args.bf16 else 'float32'}, "
        f"attention dropout {args.attention_dropout:g}, {args.repeats} rounds, {place}, torch {torch.__version__}\n"
    )
    print("              eager s   ours s   ratio (quartiles)")
    difference = 0.0
    for seconds in args.seconds:
        inputs = noise(args, seconds)
        theirs, mine = (forward(models[name], inputs, args.bf16) for name in NAMES)
        difference = max(difference, float((theirs - mine).abs().max() / theirs.abs().max()))
        for work in (forward, step):
            works = {name: partial(work, models[name], inputs, args.bf16) for name in NAMES}
            taken = measure(works, args.repeats, args.device)
            low, ratio, high = np.quantile(taken[:, 0] / taken[:, 1], (0.25, 0.5, 0.75))
            median = np.median(taken, axis=0)
            print(
                f"{seconds:4g} s {work.__name__:7} {median[0]:8.3f} {median[1]:8.3f} {ratio:7.2f} ({low:.2f}-{high:.2f})",
                flush=True,
            )
    if not args.no_memory:
        memory = peaks(args)
        print(
            f"\nmemory of a step at {max(args.seconds):g} s beyond weights and gradients: eager {memory['eager']:.0f} MiB, "
            f"ours {memory['ours']:.0f} MiB, ratio {memory['eager'] / memory['ours']:.2f}"
        )
    print(f"largest difference of the logits: {difference:.1e} of the largest")
    return int(not difference <= (0.05 if args.bf16 else 1e-4))


if __name__ == "__main__":
    sys.exit(main())
