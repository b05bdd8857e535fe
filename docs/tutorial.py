# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Tutorial: from a folder of clips to a figure that you can defend
#
# This page is a notebook that ran when the site was built: every output below is what the code printed. It takes less than a
# minute on two cores, without a network or a GPU. The music is the synthetic [demo corpus](demo.md), so **its figures say nothing about
# real music**; give the path of your own `<genre>/<file>` folder in place of `"demo"` for that.
#
# To run it yourself: `jupytext --to ipynb docs/tutorial.py`, then open `docs/tutorial.ipynb`.

# %%
import tempfile
from pathlib import Path

import mgc_hf

work = Path(tempfile.mkdtemp())
data = {"demo_clips_per_genre": 8, "demo_seconds": 12.0, "cache_dir": str(work / "cache")}

# %% [markdown]
# ## 1. The data
#
# `load_gtzan` takes a folder, an archive, a CSV, a Hub id or `demo`, decodes every file once, and leaves out what cannot be
# used. What comes back is a plain `datasets.Dataset`.

# %%
clips = mgc_hf.load_gtzan("demo", **data)
table = clips.remove_columns("audio").to_pandas()
table["genre"] = table["genre"].map(clips.features["genre"].int2str)
table.groupby("genre").agg(clips=("track_id", "count"), first=("track_id", "min"))

# %% [markdown]
# Listen to one. The decoder is the one that training, evaluation and prediction use:

# %%
from IPython.display import Audio

from mgc_hf.data.audio import decode

reggae = clips[clips["track_id"].index("reggae.00000")]
audio = decode(reggae["audio"]["bytes"], sampling_rate=11025)
Audio(audio.samples, rate=audio.sampling_rate)

# %% [markdown]
# ## 2. Train, judge, document
#
# One call does what a recipe does; the options are the recipes'. Few epochs of few clips, so that this page is quick. The protocol is `track`, the default: no track is both trained on and tested on.

# %%
options = {**data, "dataset": "demo", "num_train_epochs": 10, "disable_tqdm": True}
options |= {"per_device_train_batch_size": 16, "weight_averaging": 0.9}
by_track = mgc_hf.fine_tune(**options, output_dir=str(work / "by-track"))
print(by_track.summary())

# %% [markdown]
# The accuracy comes with its interval, the protocol, and what the split leaks. The folder holds the model, its record and a model
# card with pictures, among them the confusion matrix:

# %%
import textwrap

from IPython.display import Image

names = sorted(path.name for path in (work / "by-track").iterdir())
print(textwrap.fill("  ".join(names), 88))
Image(work / "by-track" / "images" / "confusion_matrix_track.png", width=480)

# %% [markdown]
# ## 3. What a leak is worth
#
# Many published figures divide *segments* of tracks, so that the model is tested on music that it has heard. The same model, the
# same clips, the other protocol; segments right under each:

# %%
options |= {"protocol": "segment", "pictures": False, "floor": False}
by_segment = mgc_hf.fine_tune(**options, output_dir=str(work / "by-segment"))
for run in (by_track, by_segment):
    accuracy = run.segment.accuracy
    low, high = accuracy.ci95
    print(f"{run.protocol:8} leaky: {run.leaky!s:5}  {accuracy.value:.1%} [{low:.1%}, {high:.1%}]")

# %% [markdown]
# On real music the difference is large: see [protocols and leaks](leaks.md) for what it is on GTZAN.
#
# ## 4. Use the model
#
# `GenreClassifier` hears arrays, files and streams of any length, rate and number of channels. Here is a clip that no run
# has seen:

# %%
from mgc_hf.data.demo import render_clip

classifier = mgc_hf.GenreClassifier.from_pretrained(work / "by-track")
unheard = work / "unheard.wav"
unheard.write_bytes(render_clip("metal", index=0, seconds=12.0, seed=1))
prediction = classifier.predict_file(unheard)
for genre, probability in list(prediction.probabilities.items())[:3]:
    print(f"{genre:10} {probability:.2f}")
print(f"{prediction.windows} windows of {prediction.seconds:.1f} s")

# %% [markdown]
# It is also a model of transformers like any other:

# %%
from transformers import AutoModelForAudioClassification

model = AutoModelForAudioClassification.from_pretrained(work / "by-track")
print(f"{type(model).__name__}: {model.num_parameters():,} parameters, {model.config.num_labels} genres")

# %% [markdown]
# ## 5. Is it better than something simple?
#
# Every run also fits the [floor](floor.md), a linear model that costs seconds, to the same split, and says whether the trained
# model is better beyond chance:

# %%
floor = by_track.floor
print(f"the model {by_track.track.accuracy.value:.1%} of tracks, the floor {floor.track.value:.1%}")
print(f"right alone: the model {floor.run_alone} times, the floor {floor.floor_alone}; p = {floor.p_value:.2f}")

# %% [markdown]
# ## And then
#
# - [Train on your own folder](start.md), in five minutes.
# - [Publish the folder on the Hub](hub.md), with its card.
# - [Why figures differ so much](leaks.md), and how the [protocols](protocols.md) are defined.
