"""A page that names the genre of a clip: probabilities, how they change along the clip, and its spectrogram.

This one file is the whole page. `mgc-hf demo-app` serves it on this computer, and it is the `app.py` of a Space, where
`model.json` beside it names the model and its commit. So it imports what `requirements.txt` of a Space lists, and
nothing of mgc_hf. The model is heard through the pipeline that its repository brings.
"""

import html
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import soundfile
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

#: The pipeline's entry in a model's `config.json`, under the name of its task.
PIPELINE = "pipeline_genre.GenrePipeline"
#: Longest and shortest clip that is heard, seconds, and the largest file that the browser may send.
LONGEST_SECONDS, SHORTEST_SECONDS = 600.0, 0.5
LARGEST_FILE = "200mb"
#: Audio that stays within one step of 16-bit sound on either side of a constant is silence.
SILENCE_RANGE = 2.0**-14
#: Genres with a line of their own in colour, and with a bar; the others are drawn in grey.
MOST_LINES, MOST_BARS = 14, 10
MEL_BINS, DYNAMIC_RANGE_DB = 128, 80.0

#: Okabe and Ito (2008), without its yellow, which is too faint on white; the second round is dashed.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLE: dict[Any, Any] = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "legend.frameon": False,
    "text.parse_math": False,  # a genre may be called `$a$`
}
SPECTROGRAM = "Mel spectrogram of the clip: time from left to right, frequency upwards, level as colour"
CSS = """
.gradio-container { max-width: 60rem !important; margin: 0 auto !important; }
.gradio-container .prose a { margin: 0 !important; padding: 0 !important; }
#clip { --neutral-400: #475569; }
.dark #clip { --neutral-400: #cbd5e1; }
.message { padding: .8rem 1rem; border-radius: .5rem; font-size: 1.05rem; line-height: 1.5;
  color: #1f2937; background: #eef4fa; border-left: .35rem solid #0072B2; overflow-wrap: anywhere; }
.message strong { color: inherit !important; }
.message.problem { background: #fdf0e6; border-left-color: #D55E00; }
"""


class ClipError(ValueError):
    """A clip that cannot be heard; the text says why, and what would do."""


class ModelError(ValueError):
    """A model without the pipeline that this page needs."""


@dataclass(frozen=True)
class Clip:
    """A clip as it was sent.

    Args:
        samples (`np.ndarray` of `float32`, shape `(num_samples, channels)`): Full scale is 1.0.
        sampling_rate (`int`): Hz.
    """

    samples: np.ndarray
    sampling_rate: int

    @property
    def seconds(self) -> float:
        """Length, seconds."""
        return len(self.samples) / self.sampling_rate


@dataclass(frozen=True)
class Answer:
    """What the model says of a clip.

    Args:
        scores (`dict[str, float]`): Probability per genre over the whole clip, most probable first.
        spans (`np.ndarray`, shape `(num_windows, 2)`): Begin and end of each window that was heard, seconds.
        along (`np.ndarray`, shape `(num_windows, num_genres)`): Probabilities per window, genres as in `scores`.
    """

    scores: dict[str, float]
    spans: np.ndarray
    along: np.ndarray


def load(model: str, revision: str | None = None) -> Any:
    """Load a model with the pipeline of its own repository, whose code is run.

    Args:
        model (`str`): Folder or Hub id.
        revision (`str`, *optional*): Commit, or branch; the newest of `main` by default.

    Raises:
        ModelError: It brings no such pipeline.
    """
    from transformers import PretrainedConfig, pipeline

    config, _ = PretrainedConfig.get_config_dict(model, revision=revision)
    task: Any = task_of(config, model)
    return pipeline(task, model=model, revision=revision, trust_remote_code=True)


def task_of(config: Mapping[str, Any], model: str) -> str:
    """Return the task under which a model's `config.json` has the pipeline.

    Raises:
        ModelError: Under none.
    """
    for task, entry in (config.get("custom_pipelines") or {}).items():
        if entry.get("impl") == PIPELINE:
            return str(task)
    raise ModelError(f"{model}: its config.json names no {PIPELINE}, with which this page hears a clip")


def read_clip(path: str | Path) -> Clip:
    """Read a clip.

    Raises:
        ClipError: It cannot be read, or is too long, too short or silent.
    """
    name = Path(path).name
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            if file.frames > LONGEST_SECONDS * rate:
                raise ClipError(
                    f"{name} is {file.frames / rate / 60:.0f} minutes long. "
                    f"Send at most {LONGEST_SECONDS / 60:.0f} minutes; the scissors cut a piece out of a clip."
                )
            samples = file.read(dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise ClipError(f"{name} could not be read as audio. WAV, FLAC, MP3 and OGG files work.") from error
    if len(samples) < SHORTEST_SECONDS * rate:
        raise ClipError(f"{name} is too short: at least half a second is needed, and some seconds are better.")
    if not np.isfinite(samples).all():
        raise ClipError(f"{name} holds values that are no numbers; export it again as WAV or FLAC.")
    if (np.ptp(samples, axis=0) <= SILENCE_RANGE).all():
        raise ClipError(f"{name} is silent. If you have recorded it, is it the right microphone, and is it on?")
    return Clip(samples, rate)


def hear(pipe: Any, clip: Clip) -> Answer:
    """Ask a model's pipeline what it makes of a clip, as a whole and window by window."""
    told = pipe({"raw": clip.samples, "sampling_rate": clip.sampling_rate}, top_k=None, return_windows=True)
    scores = {row["label"]: float(row["score"]) for row in told["labels"]}
    spans = np.array([(window["start"], window["end"]) for window in told["windows"]], dtype=float)
    windows = [{row["label"]: row["score"] for row in window["labels"]} for window in told["windows"]]
    return Answer(scores, spans, np.array([[window[genre] for genre in scores] for window in windows], dtype=float))


def draw_along(answer: Answer, seconds: float) -> Figure:
    """Draw the probability of each genre along a clip, one line per genre, the most probable first in the legend."""
    with rc_context(STYLE):
        figure = new_figure(3.7)
        axes = figure.subplots()
        # a point stands in the middle of its window; the outer ones are held as far as their windows reach
        middles = answer.spans.mean(axis=1)
        times = np.concatenate([answer.spans[:1, 0], middles, answer.spans[-1:, 1]])
        genres = list(answer.scores)
        lines = []
        for index in range(len(genres)):
            coloured = index < MOST_LINES
            lines += axes.plot(
                times,
                answer.along[[0, *range(len(middles)), -1], index],
                color=COLOURS[index % len(COLOURS)] if coloured else "#BBBBBB",
                linestyle="-" if index < len(COLOURS) or not coloured else "--",
                linewidth=2.8 if index == 0 else 1.6 if coloured else 0.8,
                marker="o" if coloured and len(middles) <= 40 else None,
                markevery=slice(1, -1),
                markersize=4,
                zorder=3 - index / len(genres),  # the most probable on top
            )
        axes.set(xlim=(0, seconds), ylim=(-0.02, 1.02), xlabel="Time (s)", ylabel="Probability")
        axes.set_title("Probabilities along the clip", pad=10)
        axes.grid(axis="y", color="#E5E7EB")
        names = [shorten(genre) for genre in genres[:MOST_LINES]]
        if len(genres) > MOST_LINES:
            names.append(f"{len(genres) - MOST_LINES} others")
        axes.legend(lines[: len(names)], names, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=10)
    return figure


def draw_spectrogram(clip: Clip) -> Figure:
    """Draw the mel spectrogram of a clip, in dB under its loudest point."""
    power, top = mel_power(clip)
    decibels = 10 * np.log10(np.maximum(power, power.max() * 10 ** (-DYNAMIC_RANGE_DB / 10)) / power.max())
    with rc_context(STYLE):
        figure = new_figure(3.5)
        axes = figure.subplots()
        top_mel = mels(top)
        image = axes.imshow(
            decibels.T,
            origin="lower",
            aspect="auto",
            cmap="viridis",
            vmin=-DYNAMIC_RANGE_DB,
            vmax=0,
            extent=(0, clip.seconds, 0, top_mel),
        )
        ticks = [hertz for hertz in (250, 500, 1000, 2000, 4000, 8000, 16000) if hertz <= top]
        axes.set_yticks([mels(hertz) for hertz in ticks], [f"{t:,}" for t in ticks])
        axes.set(xlabel="Time (s)", ylabel="Frequency (Hz, mel scale)")
        axes.set_title("Mel spectrogram", pad=10)
        bar = figure.colorbar(image, ax=axes, pad=0.01)
        bar.set_label("Level (dB, loudest is 0)")
        bar.outline.set_visible(False)
    return figure


def mels(hertz: float) -> float:
    """Return a frequency on Slaney's mel scale."""
    from transformers.audio_utils import hertz_to_mel

    return float(hertz_to_mel(float(hertz), mel_scale="slaney"))


def mel_power(clip: Clip) -> tuple[np.ndarray, float]:
    """Return mel powers `(num_frames, MEL_BINS)`, mean of the channels, and the highest frequency in them, Hz."""
    from transformers.audio_utils import mel_filter_bank

    rate = clip.sampling_rate
    top = min(rate / 2, 16000.0)
    length = 2 ** round(math.log2(0.046 * rate))  # 2048 samples at 44,100 Hz
    hop = length // 2
    filters = mel_filter_bank(length // 2 + 1, MEL_BINS, 0.0, top, rate, norm="slaney", mel_scale="slaney")
    window = np.hanning(length + 1)[:-1].astype(np.float32)
    power: Any = 0.0
    for channel in clip.samples.T:
        padded = np.pad(channel, (length // 2, length))
        frames = np.lib.stride_tricks.sliding_window_view(padded, length)[: len(channel) + 1 : hop]
        steps = [frames[start : start + 512] for start in range(0, len(frames), 512)]  # 10 minutes fit in memory
        power = power + np.concatenate([np.abs(np.fft.rfft(step * window)) ** 2 @ filters for step in steps])
    return power / clip.samples.shape[1], top


def new_figure(height: float) -> Figure:
    """Return an empty figure, inches, as wide as the page."""
    figure = Figure(figsize=(10, height), dpi=110, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)  # type: ignore[union-attr, call-arg]
    return figure


def picture(figure: Figure) -> np.ndarray:
    """Return a figure as an image, `(height, width, 3)` of `uint8`."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def describe(answer: Answer) -> str:
    """Say in words what the picture of [`draw_along`] shows, for those who do not see it."""
    genres, best = list(answer.scores), answer.along.argmax(axis=1)
    parts: list[list[Any]] = []
    for (start, end), index in zip(answer.spans, best, strict=True):
        if parts and parts[-1][2] == genres[index]:
            parts[-1][1] = end
        else:
            parts.append([start, end, genres[index]])
    said = "; ".join(f"{start:.0f} to {end:.0f} s {genre}" for start, end, genre in parts[:12])
    return f"Lines of each genre's probability along the clip. Most probable: {said}" + ("; ..." * (len(parts) > 12))


def shorten(text: str, most: int = 24) -> str:
    """Return a name that fits beside a picture."""
    return text if len(text) <= most else text[: most - 1] + "…"


def message(text: str, problem: bool = False) -> str:
    """Return a text as HTML that screen readers speak when it appears."""
    kind, role = ("message problem", "alert") if problem else ("message", "status")
    return f'<div class="{kind}" role="{role}">{text}</div>'


def build(pipe: Any, name: str, link: str | None = None) -> gr.Blocks:
    """Make the page.

    Args:
        pipe (`Callable`): A model's pipeline, as [`load`] gives it.
        name (`str`): What the page calls the model.
        link (`str`, *optional*): The model's own page.
    """
    genres = [str(label) for _, label in sorted(pipe.model.config.id2label.items())]
    hint = message("Upload a clip or record one; its genre appears here.")

    def name_genre(path: str | None) -> tuple[Any, ...]:
        nothing = gr.update(visible=False), None, None, None
        if path is None:
            return hint, *nothing
        try:
            clip = read_clip(path)
        except ClipError as error:
            return message(html.escape(str(error)), problem=True), *nothing
        answer = hear(pipe, clip)
        genre, score = next(iter(answer.scores.items()))
        count = len(answer.spans)
        said = (
            f"Most likely <strong>{html.escape(genre)}</strong> ({score:.0%}), from {clip.seconds:.1f} s of audio "
            f"heard in {count} window{'s' * (count != 1)}."
        )
        along = gr.update(value=picture(draw_along(answer, clip.seconds)), alt_text=describe(answer))
        return message(said), gr.update(visible=True), answer.scores, along, picture(draw_spectrogram(clip))

    title = html.escape(name)
    shown = f'<a href="{html.escape(link)}">{title}</a>' if link else title
    some = ", ".join(map(html.escape, genres[:20])) + (f" and {len(genres) - 20} more" if len(genres) > 20 else "")
    with gr.Blocks(title=f"Music genre: {name}", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        gr.HTML(
            f"<h1>Which genre is it?</h1><p>The model {shown} gives each of its {len(genres)} genres a probability: "
            f"{some}. It always names one of them, also for sound that is no music.</p>"
        )
        audio = gr.Audio(
            sources=["upload", "microphone"],
            type="filepath",
            label=f"A clip of up to {LONGEST_SECONDS / 60:.0f} minutes (WAV, FLAC, MP3 or OGG)",
            buttons=["download"],
            waveform_options=gr.WaveformOptions(waveform_color="#64748B", waveform_progress_color=COLOURS[0]),
            elem_id="clip",
        )
        said = gr.HTML(hint, elem_id="said")
        with gr.Column(visible=False) as results:
            label = gr.Label(label="Genres", num_top_classes=MOST_BARS, show_heading=False, elem_id="genres")
            along, spectrogram = (
                gr.Image(show_label=False, interactive=False, buttons=["fullscreen"], alt_text=text, elem_id=name)
                for name, text in (("along", "Probabilities along the clip"), ("spectrogram", SPECTROGRAM))
            )
        outputs = [said, results, label, along, spectrogram]
        audio.change(name_genre, audio, outputs, api_name="name_genre", show_progress_on=said)
    return page


def serve(page: gr.Blocks, **options: Any) -> Any:
    """Serve the page; `options` are those of `gradio.Blocks.launch`."""
    fonts = ["system-ui", "sans-serif"]  # of the computer itself: no font is fetched from elsewhere
    theme = gr.themes.Default(primary_hue="blue", neutral_hue="slate", font=fonts, font_mono=fonts)
    theme.set(body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_300")  # contrast
    # server-side rendering would want Node, and change nothing here
    return page.launch(theme=theme, css=CSS, max_file_size=LARGEST_FILE, ssr_mode=False, footer_links=[], **options)


def main() -> None:
    """Serve the model that `model.json` beside this file names."""
    of = json.loads((Path(__file__).parent / "model.json").read_text(encoding="utf-8"))
    pipe = load(of["model"], of["revision"])
    serve(build(pipe, of["model"], f"{os.environ.get('HF_ENDPOINT', 'https://huggingface.co')}/{of['model']}"))


if __name__ == "__main__":
    main()
