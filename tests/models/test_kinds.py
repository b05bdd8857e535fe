"""Every kind of audio classifier goes through: planned, built, trained a step, judged, saved and loaded."""

import numpy as np
import pytest
import torch

from mgc_hf.features.extraction import BatchExtractor
from mgc_hf.models.build import build_model, finish_model, load_model
from mgc_hf.models.fine_tuning import FineTuning
from tests.models.kinds import KINDS, save_checkpoint

GENRES = ["blues", "jazz", "metal"]
SECONDS = 1.0


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    made = {}

    def make(kind):
        if kind not in made:
            made[kind] = save_checkpoint(kind, tmp_path_factory.mktemp(kind))
        return str(made[kind])

    return make


def _batch(extractor, seconds=(SECONDS, SECONDS)):
    """Return a batch as the product makes it, from clips of these lengths."""
    batch_extractor = BatchExtractor(extractor, round(SECONDS * extractor.sampling_rate))
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=round(s * extractor.sampling_rate)).astype(np.float32) for s in seconds]
    features, num_frames = batch_extractor(clips)
    batch = {batch_extractor.name: torch.from_numpy(features)}
    if (num_frames < batch_extractor.num_frames).any():
        mask = np.arange(batch_extractor.num_frames) < num_frames[:, None]
        batch["attention_mask"] = torch.from_numpy(mask.astype(np.int64))
    return batch


def _step(model, batch):
    """Do a training step's forward and backward pass; return the trained parameters that got no gradient."""
    model.train()
    torch.nn.functional.cross_entropy(model(**batch).logits, torch.tensor([0, 1])).backward()
    return [name for name, value in model.named_parameters() if value.requires_grad and value.grad is None]


def test_there_are_the_kinds_of_transformers():
    assert len(KINDS) == 12


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_goes_through(kind, checkpoint, tmp_path):
    model, extractor = build_model(checkpoint(kind), GENRES, segment_seconds=SECONDS)
    batch = _batch(extractor)
    assert _step(model, batch) == []
    with torch.inference_mode():
        before = model.eval()(**batch).logits
    assert before.shape == (2, 3)
    model.save_pretrained(tmp_path)
    extractor.save_pretrained(tmp_path)
    loaded, extractor = load_model(tmp_path)
    with torch.inference_mode():
        assert torch.allclose(loaded(**_batch(extractor)).logits, before, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_clips_of_any_length_go_through(kind, checkpoint):
    """From one sample on; no traceback and no score that is not finite, in training and after it."""
    model, extractor = build_model(checkpoint(kind), GENRES, segment_seconds=SECONDS)
    batch = _batch(extractor, seconds=(1 / 16000, 0.03))
    assert _step(model, batch) == []
    with torch.inference_mode():
        assert torch.isfinite(model.eval()(**batch).logits).all()


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_checkpointing_gives_the_same_gradients(kind, checkpoint):
    tuning = FineTuning(gradient_checkpointing=True, mask_time_prob=None)
    grads = []
    for on in (False, True):
        torch.manual_seed(0)
        model, extractor = build_model(checkpoint(kind), GENRES, segment_seconds=SECONDS, tuning=tuning)
        if on:
            model.gradient_checkpointing_enable()
        torch.manual_seed(0)
        np.random.seed(0)
        assert _step(model, _batch(extractor)) == []
        grads.append({name: value.grad for name, value in model.named_parameters() if value.grad is not None})
    for name, grad in grads[0].items():
        assert torch.allclose(grad, grads[1][name], atol=1e-5), name


_TARGETS = {
    "sew-d": "query_proj,value_proj",
    "wav2vec2-bert": "linear_q,linear_v",
    "wav2vec2-conformer": "linear_q,linear_v",
}


@pytest.mark.parametrize("kind", KINDS)
def test_lora_trains_its_updates_and_merges(kind, checkpoint, tmp_path):
    targets = _TARGETS.get(kind, "q_proj,v_proj")
    tuning = FineTuning(lora_rank=2, lora_target_modules=targets)
    model, extractor = build_model(checkpoint(kind), GENRES, segment_seconds=SECONDS, tuning=tuning)
    names = set(build_model(checkpoint(kind), GENRES, segment_seconds=SECONDS)[0].state_dict())
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    assert any("lora_A" in name for name in trained)
    assert {name for name in trained if "lora_" not in name} == {
        name for name in names if name.startswith(("projector.", "classifier."))
    }
    batch = _batch(extractor)
    optimizer = torch.optim.SGD([value for value in model.parameters() if value.requires_grad], lr=0.5)
    for _ in range(2):
        assert _step(model, batch) == []
        optimizer.step()
    unused = [name for name, v in model.named_parameters() if "lora_" in name and not v.grad.abs().max() > 0]
    assert unused == []
    with torch.inference_mode():
        before = model.eval()(**batch).logits
        model = finish_model(model)
        assert torch.allclose(model(**batch).logits, before, atol=1e-5)
    assert set(model.state_dict()) == names
    model.save_pretrained(tmp_path)
    extractor.save_pretrained(tmp_path)
    with torch.inference_mode():
        assert torch.allclose(load_model(tmp_path)[0](**batch).logits, before, atol=1e-5)
