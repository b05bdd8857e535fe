import ast
import json
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from transformers import BatchFeature, set_seed

import mgc_hf.models.mel_lstm as package
from mgc_hf.models.mel_lstm import MelLstmConfig, MelLstmForAudioClassification, MelLstmModel

NUM_BANDS = 24


def make_config(**values):
    defaults = {"num_mel_bins": NUM_BANDS, "num_cepstra": 8, "hidden_size": 6, "num_labels": 4}
    return MelLstmConfig(**{**defaults, **values})


def make_model(**values):
    set_seed(0)
    model = MelLstmForAudioClassification(make_config(**values))
    model.fit_statistics([{"input_features": spectrograms(16, 60)}])
    # a fresh classifier (deviation 0.02) would make any two logits agree to three digits
    torch.nn.init.normal_(model.classifier.weight)
    return model.eval()


def spectrograms(batch_size, num_frames, seed=0, num_bands=NUM_BANDS):
    """Random dB with what real clips have: a slope over the bands, slow change, values under the floor."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(-10, -70, num_bands)
    slow = (
        8
        * rng.standard_normal((batch_size, num_frames, num_bands)).cumsum(1)
        / np.sqrt(np.arange(1, num_frames + 1))[:, None]
    )
    noise = 6 * rng.standard_normal((batch_size, num_frames, num_bands))
    return torch.tensor(slope + slow + noise, dtype=torch.float32)


def pad(rows, num_frames, fill):
    """Right-padded batch and mask of spectrograms of shapes `(1, any, bands)`."""
    features = torch.full((len(rows), num_frames, rows[0].shape[2]), fill)
    mask = torch.zeros(len(rows), num_frames, dtype=torch.long)
    for index, row in enumerate(rows):
        features[index, : row.shape[1]] = row[0]
        mask[index, : row.shape[1]] = 1
    return features, mask


# --- outputs ---------------------------------------------------------------------------------------------------------


def test_outputs_have_the_documented_shapes():
    model = make_model()
    outputs = model(spectrograms(3, 50))
    assert outputs.logits.shape == (3, 4)
    assert outputs.loss is None
    base = model.mel_lstm(spectrograms(3, 50))
    assert base.last_hidden_state.shape == (3, 5, 12)  # windows at 0, 8, 16, 24, 32: the last ends with frame 48
    assert base.pooler_output.shape == (3, 24)
    assert [tuple(x.shape) for x in model.mel_lstm(spectrograms(3, 50), return_dict=False)] == [(3, 5, 12), (3, 24)]


def test_tuple_output_by_argument_and_by_configuration():
    model = make_model()
    features, labels = spectrograms(2, 30), torch.tensor([0, 3])
    outputs = model(features, labels=labels)
    loss, logits = model(features, labels=labels, return_dict=False)
    assert torch.equal(loss, outputs.loss)
    assert torch.equal(logits, outputs.logits)
    model.config.return_dict = False
    assert torch.equal(model(features)[0], outputs.logits)
    assert len(model(features)) == 1


@pytest.mark.parametrize("num_labels", [1, 2, 13])
@pytest.mark.parametrize("num_bands", [1, 5, 128])
def test_any_number_of_labels_and_bands(num_labels, num_bands):
    model = MelLstmForAudioClassification(MelLstmConfig(num_labels=num_labels, num_mel_bins=num_bands)).eval()
    logits = model(spectrograms(2, 20, num_bands=num_bands)).logits
    assert logits.shape == (2, num_labels)
    assert torch.isfinite(logits).all()


def test_untrained_model_has_identity_statistics():
    texture = MelLstmModel(make_config()).texture
    assert torch.equal(texture.mean, torch.zeros_like(texture.mean))
    assert torch.equal(texture.deviation, torch.ones_like(texture.deviation))


@pytest.mark.parametrize(
    ("shape", "mask_shape", "message"),
    [
        ((2, 30), None, r"has shape \(2, 30\), must be \(batch_size, num_frames, 24\)"),
        ((2, 24, 30), None, r"has shape \(2, 24, 30\), must be \(batch_size, num_frames, 24\)"),
        ((2, 0, 24), None, "at least one frame"),
        ((2, 30, 24), (2, 29), r"attention_mask has shape \(2, 29\), must be \(2, 30\)"),
    ],
)
def test_wrong_shapes_are_refused(shape, mask_shape, message):
    mask = None if mask_shape is None else torch.ones(mask_shape)
    with pytest.raises(ValueError, match=message):
        make_model()(torch.zeros(shape), attention_mask=mask)


def test_unknown_argument_is_refused():
    with pytest.raises(TypeError, match="input_values"):
        make_model()(spectrograms(1, 20), input_values=torch.zeros(1))


# --- loss ------------------------------------------------------------------------------------------------------------


def test_soft_labels_weigh_the_hard_losses():
    model, features = make_model(), spectrograms(2, 30)
    first, second = torch.tensor([0, 1]), torch.tensor([2, 3])
    soft = 0.3 * torch.eye(4)[first] + 0.7 * torch.eye(4)[second]
    with torch.no_grad():
        expected = 0.3 * model(features, labels=first).loss + 0.7 * model(features, labels=second).loss
        assert model(features, labels=soft).loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_loss_is_cross_entropy_and_reaches_every_parameter():
    model, labels = make_model(num_hidden_layers=2), torch.tensor([1, 2, 3])
    outputs = model(spectrograms(3, 40), labels=labels)
    expected = -outputs.logits.log_softmax(-1)[torch.arange(3), labels].mean()
    assert outputs.loss.item() == pytest.approx(expected.item(), rel=1e-6)
    outputs.loss.backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in model.parameters())


def test_lower_precision_keeps_features_and_loss_in_float32(tmp_path):
    features, labels = spectrograms(2, 40), torch.tensor([1, 2])
    model = make_model()
    model.save_pretrained(tmp_path)
    half = MelLstmForAudioClassification.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert half.classifier.weight.dtype == torch.bfloat16
    assert half.mel_lstm.texture.mean.dtype == torch.float32
    soft = torch.eye(4, dtype=torch.float64)[labels]
    with torch.no_grad():
        exact = model(features, labels=labels)
        outputs = half(features, labels=soft)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            autocast = model(features, labels=labels)
    for found in (outputs, autocast):
        assert found.loss.dtype == torch.float32
        assert found.logits.dtype == torch.bfloat16
        torch.testing.assert_close(found.logits.float(), exact.logits, atol=0.1, rtol=0)
    assert exact.logits.abs().max() > 1.0


# --- padding and neighbours ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("num_layers", "fill"), [(1, -100.0), (1, float("nan")), (2, float("inf"))])
def test_padding_changes_nothing_whatever_stands_in_it(num_layers, fill):
    model = make_model(num_hidden_layers=num_layers)
    rows = [spectrograms(1, length, seed=length) for length in (1, 2, 16, 23, 24, 60)]
    with torch.no_grad():
        alone = torch.cat([model(row).logits for row in rows])
        for num_frames in (60, 61, 130):
            features, mask = pad(rows, num_frames, fill)
            torch.testing.assert_close(model(features, mask).logits, alone, atol=1e-5, rtol=0)
        torch.testing.assert_close(model(features, mask.bool()).logits, alone, atol=1e-5, rtol=0)
    # the lengths give different scores, so that the comparison can fail
    assert torch.pdist(alone).min() > 1e-2


def test_scores_do_not_depend_on_neighbours():
    model, features = make_model(), spectrograms(9, 60)
    with torch.no_grad():
        together = model(features).logits
        alone = torch.cat([model(row[None]).logits for row in features])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_mask_of_ones_equals_no_mask():
    model, features = make_model(), spectrograms(3, 45)
    with torch.no_grad():
        assert torch.equal(model(features, torch.ones(3, 45)).logits, model(features).logits)


def test_both_directions_and_the_order_of_time_matter():
    model, features = make_model(), spectrograms(2, 60)
    with torch.no_grad():
        states = model.mel_lstm(features).last_hidden_state
        changed = features.clone()
        changed[:, :4] += 20.0  # only the first window holds these frames and those that their slopes reach
        moved = (model.mel_lstm(changed).last_hidden_state - states).abs()
    size = model.config.hidden_size
    assert moved[:, -1, :size].min() > 0  # carried on by the forward direction
    assert moved[:, 1:, size:].max() < 1e-3  # the backward direction has not come to it yet
    assert moved[:, 0, size:].max() > 1e-2


# --- features --------------------------------------------------------------------------------------------------------


def test_frame_features_equal_librosa_and_their_formulas():
    decibels = spectrograms(1, 40)
    features = MelLstmModel(make_config()).texture.frames(decibels)[0].numpy().T
    floored = np.maximum(decibels[0].numpy().T, -80.0)
    assert floored.min() == -80.0  # the floor is at work
    bands, cepstra, slopes, rest = np.split(features, [NUM_BANDS, NUM_BANDS + 8, NUM_BANDS + 16])
    np.testing.assert_array_equal(bands, floored)
    np.testing.assert_allclose(cepstra, librosa.feature.mfcc(S=floored, n_mfcc=8, dct_type=2), atol=1e-3)
    # librosa fits the line at the ends, here the ends are held
    np.testing.assert_allclose(slopes, librosa.feature.delta(cepstra, width=9, mode="nearest"), atol=1e-3)
    power, band = 10 ** (floored / 10), np.arange(NUM_BANDS)[:, None]
    weight = np.sqrt(power) / np.sqrt(power).sum(0)
    centroid = (weight * band).sum(0)
    level = 10 * np.log10(power.sum(0))
    rise = np.maximum(np.diff(floored, prepend=floored[:, :1]), 0).mean(0)
    expected = [centroid, np.sqrt((weight * (band - centroid) ** 2).sum(0)), floored.mean(0) - level, level, rise]
    np.testing.assert_allclose(rest, expected, atol=1e-3)


def test_texture_windows_equal_a_plain_loop():
    model = MelLstmModel(make_config(texture_frames=10, texture_hop=4))
    decibels = spectrograms(2, 33)
    frames = model.texture.frames(decibels).double().numpy()
    found = model.texture.raw(decibels, None).numpy()
    assert found.shape[1] == 6  # windows at 0, 4, .. 20; the last ends with frame 29
    for window in range(6):
        part = frames[:, 4 * window : 4 * window + 10]
        expected = [part.mean(1), part.std(1), np.abs(np.diff(part, axis=1)).mean(1)]
        np.testing.assert_allclose(found[:, window], np.concatenate(expected, axis=1), atol=2e-3)


def test_bands_averaged_in_fours_are_the_plain_lstms_input():
    plain = make_config(frame_features="bands", texture_statistics="mean", texture_frames=4, texture_hop=4)
    model = MelLstmModel(plain)
    assert model.texture.num_features == NUM_BANDS
    decibels = spectrograms(2, 22)
    expected = decibels[:, :20].clamp(min=-80).reshape(2, 5, 4, NUM_BANDS).mean(2)
    torch.testing.assert_close(model.texture.raw(decibels, None), expected, atol=1e-4, rtol=0)
    padded = torch.cat([decibels, torch.full((2, 9, NUM_BANDS), torch.nan)], dim=1)
    found = model.texture.raw(padded, torch.tensor([22, 22]))[:, :5]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_clip_shorter_than_a_window_is_one_window_of_its_own_frames():
    model = MelLstmModel(make_config(texture_frames=10, texture_hop=4))
    decibels = spectrograms(2, 7)
    frames = model.texture.frames(decibels).double().numpy()
    found = model.texture.raw(decibels, None).numpy()
    assert found.shape[1] == 1
    expected = [frames.mean(1), frames.std(1), np.abs(np.diff(frames, axis=1)).mean(1)]
    np.testing.assert_allclose(found[:, 0], np.concatenate(expected, axis=1), atol=2e-3)


def test_silence_and_one_frame_stay_finite():
    model = make_model()
    for features in (torch.full((1, 40, NUM_BANDS), -100.0), spectrograms(1, 1)):
        features.requires_grad_(True)
        logits = model(features).logits
        assert torch.isfinite(logits).all()
        logits.sum().backward()
        assert torch.isfinite(features.grad).all()


# --- statistics ------------------------------------------------------------------------------------------------------


def test_statistics_normalise_the_training_windows():
    model, features = MelLstmModel(make_config()), spectrograms(20, 60)
    model.fit_statistics([{"input_features": features}])
    windows = model.texture(features, None).flatten(0, 1)
    torch.testing.assert_close(windows.mean(0), torch.zeros(model.texture.num_features), atol=1e-3, rtol=0)
    varied = windows.std(0, unbiased=False)
    torch.testing.assert_close(varied, torch.ones(model.texture.num_features), atol=1e-2, rtol=0)


def test_statistics_do_not_depend_on_batches_or_padding():
    rows = [spectrograms(1, length, seed=length) for length in (16, 24, 40, 60, 70)]
    one_by_one = MelLstmModel(make_config())
    one_by_one.fit_statistics({"input_features": row.numpy(), "labels": [0]} for row in rows)
    padded = MelLstmModel(make_config())
    features, mask = pad(rows, 90, float("nan"))
    padded.fit_statistics([BatchFeature({"input_features": features, "attention_mask": mask.numpy()})])
    torch.testing.assert_close(padded.texture.mean, one_by_one.texture.mean, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(padded.texture.deviation, one_by_one.texture.deviation, atol=1e-3, rtol=1e-4)


def test_feature_that_never_varies_is_only_centred():
    model = make_model()
    model.fit_statistics([{"input_features": torch.full((2, 40, NUM_BANDS), -100.0)}])
    logits = model(torch.full((2, 40, NUM_BANDS), -100.0)).logits
    assert torch.isfinite(logits).all()
    assert model.mel_lstm.texture.deviation.min() == 1.0


def test_statistics_refuse_what_they_cannot_use():
    model = make_model()
    before = model.mel_lstm.texture.mean.clone()
    with pytest.raises(ValueError, match="no batch"):
        model.fit_statistics([])
    with pytest.raises(ValueError, match="not finite"):
        model.fit_statistics([{"input_features": torch.full((1, 20, NUM_BANDS), float("nan"))}])
    with pytest.raises(ValueError, match=r"has shape \(1, 20, 3\)"):
        model.fit_statistics([{"input_features": torch.zeros(1, 20, 3)}])
    with pytest.raises(ValueError, match=r"mean has shape \(3,\)"):
        model.set_feature_statistics(torch.zeros(3), torch.ones(3))
    assert torch.equal(model.mel_lstm.texture.mean, before)


# --- saving ----------------------------------------------------------------------------------------------------------


def test_reloaded_model_gives_the_same_scores(tmp_path):
    model, features = make_model(), spectrograms(3, 50)
    model.save_pretrained(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors", ".py"}
    loaded, report = MelLstmForAudioClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded(features).logits, model(features).logits)
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == ["MelLstmForAudioClassification"]


def test_base_checkpoint_gives_a_model_with_a_new_classifier(tmp_path):
    model = make_model()
    model.mel_lstm.save_pretrained(tmp_path)
    loaded, report = MelLstmForAudioClassification.from_pretrained(tmp_path, num_labels=7, output_loading_info=True)
    assert set(report["missing_keys"]) == {"classifier.weight", "classifier.bias"}
    assert loaded(spectrograms(1, 30)).logits.shape == (1, 7)
    assert torch.equal(loaded.mel_lstm.texture.mean, model.mel_lstm.texture.mean)


def test_files_import_only_torch_transformers_and_siblings():
    folder = Path(package.__file__).parent
    for name in ("configuration_mel_lstm", "modeling_mel_lstm"):
        tree = ast.parse((folder / f"{name}.py").read_text())
        roots = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                roots |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level:
                assert node.level == 1
                assert (folder / f"{node.module}.py").is_file(), f"{name} imports .{node.module}"
            elif isinstance(node, ast.ImportFrom):
                roots.add(node.module.split(".")[0])
        assert roots <= {"collections", "math", "os", "pathlib", "typing", "torch", "transformers"}, name
        assert "transformers" in roots


def test_names_of_the_package_are_the_files_names():
    from mgc_hf.models.mel_lstm import configuration_mel_lstm, modeling_mel_lstm

    for module in (configuration_mel_lstm, modeling_mel_lstm):
        for name in module.__all__:
            assert getattr(package, name) is getattr(module, name)
            assert name in package.__all__
    with pytest.raises(AttributeError, match="MelGru"):
        package.MelGru  # noqa: B018


# --- learning --------------------------------------------------------------------------------------------------------


def test_learns_what_only_the_order_of_time_tells():
    """Spectrograms that get louder against the same ones read backwards: every mean over the segment is the same."""
    set_seed(0)
    level = torch.linspace(-10, 10, 40)[None, :, None]
    rising = spectrograms(32, 40) + level
    features = torch.cat([rising, rising.flip(1)])
    labels = torch.arange(2).repeat_interleave(32)
    model = MelLstmForAudioClassification(make_config(num_labels=2, hidden_size=16))
    train, test = torch.arange(64) % 2 == 0, torch.arange(64) % 2 == 1
    model.fit_statistics([{"input_features": features[train]}])
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2)
    for _ in range(15):
        optimizer.zero_grad()
        model(features[train], labels=labels[train]).loss.backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = (model.eval()(features[test]).logits.argmax(-1) == labels[test]).float().mean()
    assert accuracy > 0.9
