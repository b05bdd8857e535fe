"""What cards leave out: ours, those in the audio course's style, and no card at all."""

import json
import shutil

import pytest

from mgc_hf.auditing import audit_model
from mgc_hf.errors import CheckpointError, OptionError
from mgc_hf.labels import GTZAN_GENRES

#: In the style of the audio course's fine-tuned model: what the Trainer writes.
COURSE = """---
license: apache-2.0
base_model: {base}
tags:
- generated_from_trainer
datasets:
- marsyas/gtzan
metrics:
- accuracy
model-index:
- name: distilhubert-finetuned-gtzan
  results:
  - task:
      name: Audio Classification
      type: audio-classification
    dataset:
      name: GTZAN
      type: marsyas/gtzan
      config: all
      split: {split}
      args: all
    metrics:
    - name: Accuracy
      type: accuracy
      value: {value}
---

# distilhubert-finetuned-gtzan

This model is a fine-tuned version of [base](https://huggingface.co/base) on the GTZAN dataset.
It achieves the following results on the evaluation set:
- Loss: 0.5
- Accuracy: {value}

## Training procedure

| Training Loss | Epoch | Step | Validation Loss | Accuracy |
|:-------------:|:-----:|:----:|:---------------:|:--------:|
| 1.9           | 1.0   | 113  | 1.8             | 0.49     |
| 0.5           | 2.0   | 226  | 0.6             | 0.83     |
| 0.3           | 3.0   | 339  | 0.6             | 0.80     |
"""


def folder_of(tmp_path, card, config=None, name="model"):
    folder = tmp_path / name
    folder.mkdir()
    if card is not None:
        (folder / "README.md").write_text(card)
    (folder / "config.json").write_text(json.dumps(config or {"model_type": "hubert"}))
    return folder


def keys(found):
    return [lack.key for lack in found.lacks]


def test_a_card_of_the_course(tmp_path):
    found = audit_model(folder_of(tmp_path, COURSE.format(base="./gone", split="train", value=0.83)))
    assert keys(found) == [
        "evaluated_on_train",
        "no_n",
        "no_interval",
        "epoch_chosen_on_test",
        "recordings_not_published",
    ]
    (figure,) = found.figures
    assert (figure.value, figure.dataset, figure.split, figure.n) == (0.83, "marsyas/gtzan", "train", None)
    assert "epoch 2, the best of 3" in found.lacks[3].text
    assert found.exit_status == 1
    assert "accuracy 83.0 % (marsyas/gtzan, split train, n not given)" in found.summary()


def test_the_last_epoch_is_not_called_chosen(tmp_path):
    found = audit_model(folder_of(tmp_path, COURSE.format(base="./gone", split="test", value=0.80)))
    assert keys(found) == ["split_not_named", "no_n", "no_interval", "recordings_not_published"]


def test_a_card_that_says_what_must_be_known_lacks_only_its_recordings(tmp_path):
    said = "\nThe fault-filtered split; tested on 290 tracks; 82.1 % (95 % CI 77 to 86).\n"
    card = COURSE.format(base="./gone", split="test", value=82.1) + said
    found = audit_model(folder_of(tmp_path, card))
    assert keys(found) == ["recordings_not_published"]
    assert (found.figures[0].value, found.figures[0].n) == (pytest.approx(0.821), 290)
    assert "Wilson interval of 82.1 % of 290: 77." in found.summary()


@pytest.mark.parametrize(
    "card", [None, "", "no header", "---\n: [\n---\ntext", "---\nmodel-index: 7\n---\n", "---\n- 1\n---\nx"]
)
def test_a_card_without_a_figure_or_with_a_broken_header(card, tmp_path):
    assert keys(audit_model(folder_of(tmp_path, card))) == ["no_figure", "recordings_not_published"]


def test_a_figure_in_the_text_alone(tmp_path):
    found = audit_model(folder_of(tmp_path, "# a model\n\nn = 1,000 clips\n\n- accuracy: 91.5 %\n"))
    assert (found.figures[0].value, found.figures[0].n) == (pytest.approx(0.915), 1000)
    assert keys(found) == ["dataset_not_named", "split_not_named", "no_interval", "recordings_not_published"]


def test_a_base_that_knows_gtzan(tmp_path, monkeypatch):
    bases = {
        "x/finetuned-gtzan": folder_of(tmp_path, "", name="a"),
        "x/card": folder_of(tmp_path, "---\ndatasets:\n- marsyas/gtzan\n---\n", name="b"),
        "x/text": folder_of(tmp_path, "a fine-tuned version of [y](https://z.co/y) on the GTZAN dataset.", name="c"),
        "x/labels": folder_of(tmp_path, "", {"id2label": dict(enumerate(GTZAN_GENRES))}, name="d"),
        "x/innocent": folder_of(tmp_path, "trained on AudioSet, evaluated on GTZAN", {"id2label": {"0": "rock"}}, "e"),
    }
    find = dict(bases)
    monkeypatch.setattr("mgc_hf.contamination.fetch_files", lambda base, names, revision: find[base])
    contaminated = []
    for base in bases:
        folder = folder_of(tmp_path, COURSE.format(base=base, split="train", value=0.8), name=base.split("/")[1])
        if "contaminated_base" in keys(audit_model(folder)):
            contaminated.append(base)
    assert contaminated == ["x/finetuned-gtzan", "x/card", "x/text", "x/labels"]


def test_our_own_run_lacks_nothing(finished_run):
    found = audit_model(finished_run)
    assert (found.lacks, found.exit_status) == ((), 0)
    assert [figure.metric for figure in found.figures] == ["accuracy", "accuracy of segments"]
    assert found.figures[0].protocol == "track"
    assert "nothing is missing" in found.summary()


def test_our_own_run_that_leaks_or_cannot_be_read(finished_run, tmp_path):
    folder = tmp_path / "leaky"
    shutil.copytree(finished_run, folder, ignore=shutil.ignore_patterns("checkpoint-*"))
    value = json.loads((folder / "results.json").read_text())
    value["leaky"] = True
    (folder / "results.json").write_text(json.dumps(value))
    assert keys(audit_model(folder)) == ["leaks"]
    (folder / "results.json").write_text("{}")
    found = audit_model(folder)
    assert found.lacks[0].key == "record_unreadable"
    assert found.figures[0].protocol == "track"  # the card says it too


def test_the_weights_are_judged_again_and_their_leaks_named(finished_run, music_folder, cache_dir):
    found = audit_model(finished_run, str(music_folder), cache_dir=str(cache_dir))
    assert keys(found) == ["leaks_here"]
    assert "sample for sample" in found.lacks[0].text
    assert found.again.n == 18
    split = [str(finished_run / "split.json")]
    found = audit_model(finished_run, str(music_folder), split, cache_dir=str(cache_dir))
    assert keys(found) == []
    assert found.again.value == found.figures[0].value
    assert "here: " in found.summary()


def test_weights_that_cannot_be_loaded_are_among_what_is_missing(tmp_path, music_folder):
    folder = folder_of(tmp_path, COURSE.format(base="./gone", split="train", value=0.8))
    found = audit_model(folder, str(music_folder))
    assert keys(found)[-1] == "not_judged_again"
    assert found.again is None


def test_what_cannot_be_audited_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no such folder"):
        audit_model(tmp_path / "gone")
    (tmp_path / "jazz").mkdir()
    with pytest.raises(OptionError, match=rf"no model \(config.json\); data are audited with --dataset {tmp_path}"):
        audit_model(tmp_path)
    folder = folder_of(tmp_path, "")
    for dataset, split in ((None, ["split.json"]), ("demo", ["parts.csv"]), ("demo", ["train=a", "test=b"])):
        with pytest.raises(OptionError, match=r"--split of a model is a split\.json"):
            audit_model(folder, dataset, split)
