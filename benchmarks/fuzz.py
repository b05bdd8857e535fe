"""Whether any mutated audio file crashes the decoder, hangs it, or makes it take memory or lengths on trust.

    python benchmarks/fuzz.py --n 1000

Files of noise and tones (WAV, FLAC, MP3, Ogg, AU; 16 and 24 bits, floats, mono and stereo) are mutated from a seed:
bytes of the header overwritten, sizes set to extremes, cut off, bits flipped, blocks doubled or taken out, other bytes
put before. Each is read in a child process that is replaced when it dies or takes more than 10 s. A reading is right
when it ends in audio or in one `AudioError` that names the file; what it took beyond the child's own memory must stay
under 4 times the decoded size and 100 MB; the blocks of the stream must have as many samples as the whole; and where the
container states a length (parsed here anew, from the WAV, AU and FLAC headers) that differs by more than 1 % from what
was delivered, a note must say so. Ends with status 1 where a file was read wrongly; such files are kept in --keep.
"""

import argparse
import multiprocessing
import multiprocessing.connection
import os
import struct
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

LIMIT_SECONDS, ROOM = 10.0, 100e6
FORMS = {
    "wav": [
        ("WAV", "PCM_16"),
        ("WAV", "PCM_24"),
        ("WAV", "FLOAT"),
        ("WAV", "ALAW"),
        ("WAVEX", "PCM_16"),
        ("RF64", "PCM_16"),
    ],
    "flac": [("FLAC", "PCM_16"), ("FLAC", "PCM_24")],
    "mp3": [("MP3", "MPEG_LAYER_III")],
    "ogg": [("OGG", "VORBIS"), ("OGG", "OPUS")],
    "au": [("AU", "PCM_16"), ("AU", "ULAW")],
}
EXTREMES = (0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)


def make_seeds(folder: Path) -> list[bytes]:
    """Return the contents of whole files of every format."""
    found = []
    for suffix, forms in FORMS.items():
        for form, subtype in forms:
            for channels, seconds in ((1, 0.7), (2, 1.6)):
                rate = 48_000 if subtype == "OPUS" else 22_050
                rng, size = np.random.default_rng(len(found)), round(rate * seconds)
                tone = np.sin(np.arange(size) / 9)[:, None] * 0.3 + rng.standard_normal((size, channels)) * 0.1
                path = folder / f"seed.{suffix}"
                soundfile.write(path, tone, rate, subtype=subtype, format=form)
                found.append(path.read_bytes())
    return found


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a content with one to four changes."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        if not data:
            break
        head = min(len(data), 128)
        match int(rng.integers(8)):
            case 0:  # bytes of the header
                for at in rng.integers(0, head, size=int(rng.integers(1, 6))):
                    data[at] = int(rng.integers(256))
            case 1:  # an extreme number in the header
                value, size = EXTREMES[rng.integers(len(EXTREMES))], int(rng.choice([2, 4, 8]))
                at = int(rng.integers(0, head))
                number = (value & (256**size - 1)).to_bytes(size, "little" if rng.random() < 0.5 else "big")
                data[at : at + size] = number
            case 2:  # cut off
                del data[int(rng.integers(0, len(data))) :]
            case 3:  # flipped bits
                for at in rng.integers(0, len(data), size=int(rng.integers(1, 40))):
                    data[at] ^= 1 << int(rng.integers(8))
            case 4:  # a block taken out, or put in twice
                at, size = int(rng.integers(0, len(data))), int(rng.integers(1, 4000))
                block = data[at : at + size]
                data[at : at + size] = block * 2 if rng.random() < 0.5 else b""
            case 5:  # zeros, or noise, over a block
                at, size = int(rng.integers(0, len(data))), int(rng.integers(1, 4000))
                fill = rng.integers(0, 256, size=len(data[at : at + size])) * (rng.random() < 0.5)
                data[at : at + size] = bytes(fill.astype(np.uint8))
            case 6:  # something before it
                data[:0] = [
                    b"ID3\x03\x00\x00\x7f\x7f\x7f\x7f",
                    b"ID3\x04\x00\x00\x00\x00\x01\x00",
                    bytes(50),
                    b"\xff\xfb",
                ][rng.integers(4)]
            case 7:  # something after it
                data += bytes(rng.integers(0, 256, size=int(rng.integers(1, 3000)), dtype=np.uint8))
    return bytes(data)


def stated_frames(data: bytes) -> float | None:
    """Return the frames that a plain WAV, AU or FLAC header states, where it is whole; `None` otherwise."""
    try:
        if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
            at, align = 12, 0
            while at + 8 <= len(data):
                name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
                if name == b"fmt ":
                    # the field for the bytes of a frame is not used by decoders
                    align = struct.unpack_from("<H", data, at + 10)[0] * (
                        struct.unpack_from("<H", data, at + 22)[0] // 8
                    )
                if name == b"data":
                    return size / align if align and 0 < size < 0x7FFF0000 else None
                at += 8 + size + size % 2
        if data[:4] == b".snd":
            _, size, code, _, channels = struct.unpack_from(">5I", data, 4)
            width = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}.get(code)
            return size / (width * channels) if width and channels and 0 < size < 0x7FFF0000 else None
        if data[:4] == b"fLaC" and data[4] & 0x7F == 0:
            total = int.from_bytes(data[21:26], "big") & (2**36 - 1)
            return total or None
    except struct.error:
        return None
    return None


def child(pipe: Any) -> None:
    """Read files whose paths come, and say how it went."""
    from mgc_hf.data.audio import decode, stream
    from mgc_hf.errors import AudioError

    import_all = Path(tempfile.mkdtemp()) / "warm.wav"
    soundfile.write(import_all, np.zeros(100), 16_000)
    decode(import_all, 22_050)
    while (path := pipe.recv()) is not None:
        with open("/proc/self/clear_refs", "w") as refs:
            refs.write("5")
        before, outcome = _memory("VmRSS"), {}
        try:
            heard = decode(path)
            outcome = {"samples": len(heard.samples), "channels": heard.channels, "notes": list(heard.notes)}
            streamed = sum(map(len, stream(path)))
            at_16k = sum(map(len, stream(path, 16_000)))
            if streamed != len(heard.samples):
                outcome["wrong"] = f"the stream has {streamed} samples, the whole {len(heard.samples)}"
            if not np.isfinite(heard.samples).all() or heard.samples.dtype != np.float32 or heard.samples.ndim != 1:
                outcome["wrong"] = "not finite mono float32"
            expected = len(heard.samples) * 16_000 / heard.source_sampling_rate
            if abs(at_16k - expected) > 2:
                outcome["wrong"] = f"at 16 kHz {at_16k} samples, not {expected:.0f}"
            del heard
        except AudioError as error:
            outcome = {"refused": error.kind}
            if str(path) not in str(error) or "\n" in str(error):
                outcome["wrong"] = f"the error does not name the file, or has lines: {error}"
        except BaseException as error:  # this is what must not be
            outcome = {"wrong": f"{type(error).__name__}: {error}"}
        outcome["memory"] = _memory("VmHWM") - before
        pipe.send(outcome)


def _memory(name: str) -> float:
    with open("/proc/self/status") as status:
        return next(1024.0 * int(line.split()[1]) for line in status if line.startswith(name))


class Children:
    """One child at a time, replaced when it dies or hangs."""

    def __init__(self) -> None:
        self.context = multiprocessing.get_context("spawn")
        self._start()

    def _start(self) -> None:
        self.pipe, theirs = self.context.Pipe()
        self.process = self.context.Process(target=child, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.is_fresh = True

    def read(self, path: Path) -> dict[str, Any]:
        """Return what came of a file."""
        self.pipe.send(str(path))
        limit, self.is_fresh = LIMIT_SECONDS + (60 if self.is_fresh else 0), False  # a fresh one imports first
        if self.pipe.poll(limit):
            try:
                return self.pipe.recv()
            except EOFError:
                self.process.join()
                outcome = {"wrong": f"crash: exit status {self.process.exitcode}"}
        else:
            outcome = {"wrong": f"hang: more than {LIMIT_SECONDS:g} s"}
        self.process.kill()
        self._start()
        return outcome


def judge(data: bytes, outcome: dict[str, Any]) -> str | None:
    """Return what is wrong with an outcome, `None` where all is right."""
    if "wrong" in outcome:
        return str(outcome["wrong"])
    decoded = 4.0 * outcome.get("samples", 0) * outcome.get("channels", 1)
    if outcome["memory"] > 4 * decoded + ROOM:
        return f"took {outcome['memory'] / 1e6:.0f} MB for {decoded / 1e6:.2f} MB of samples"
    stated = stated_frames(data)
    if stated is None or "samples" not in outcome or abs(stated - outcome["samples"]) <= 0.01 * stated + 2:
        return None
    if any("truncated" in note or "repaired" in note for note in outcome["notes"]):
        return None
    return f"the header states {stated:.0f} samples, {outcome['samples']} came, and no note says so"


def main() -> None:
    """Read mutated files and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("outputs/fuzz"), help="Folder for files read wrongly.")
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    slowest = most = 0.0
    children = Children()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = make_seeds(folder)
        for number in range(arguments.n):
            rng = np.random.default_rng([arguments.seed, number])
            data = mutate(seeds[number % len(seeds)], rng)
            path = folder / f"{number}.bin"
            path.write_bytes(data)
            began = time.perf_counter()
            outcome = children.read(path)
            if number:
                slowest = max(slowest, time.perf_counter() - began)
            most = max(most, outcome.get("memory", 0.0))
            problem = judge(data, outcome)
            kind = "read" if "samples" in outcome else f"refused: {outcome['refused']}" if "refused" in outcome else ""
            counts[kind + (" with a note" if outcome.get("notes") else "") if problem is None else "WRONG"] += 1
            if problem is not None:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                (arguments.keep / f"{arguments.seed}-{number}.bin").write_bytes(data)
                wrong.append(f"{arguments.seed}-{number}.bin: {problem}")
            os.unlink(path)
    print(f"{arguments.n} files, seed {arguments.seed}; slowest {slowest:.2f} s, most memory {most / 1e6:.0f} MB\n")
    print("| outcome | files |\n|---|---|")
    for outcome_name, number in counts.most_common():
        print(f"| {outcome_name} | {number} |")
    print("\n" + "\n".join(wrong) if wrong else "\n0 crashes, 0 hangs, every file audio or one error that names it")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
