"""Makes transformers' Auto classes know our models, without importing transformers.

Each hook runs when the module of its Auto class has been imported, or at once if it is already there, so the order of
`import mgc_hf` and `import transformers` does not matter and nothing heavy is imported before it is needed:
registering the model classes imports `modeling_utils`, so it waits for `modeling_auto`.
"""

from types import ModuleType

import wrapt


def _register_config(module: ModuleType) -> None:
    from mgc_hf.models.mel_lstm import MelLstmConfig

    module.AutoConfig.register(MelLstmConfig.model_type, MelLstmConfig, exist_ok=True)


def _register_feature_extractor(module: ModuleType) -> None:
    from mgc_hf.models.mel_lstm import LogMelFeatureExtractor, MelLstmConfig

    module.AutoFeatureExtractor.register(MelLstmConfig, LogMelFeatureExtractor, exist_ok=True)


def _register_models(module: ModuleType) -> None:
    from mgc_hf.models.mel_lstm import MelLstmConfig, MelLstmForAudioClassification, MelLstmModel

    module.AutoModel.register(MelLstmConfig, MelLstmModel, exist_ok=True)
    module.AutoModelForAudioClassification.register(MelLstmConfig, MelLstmForAudioClassification, exist_ok=True)


def register_when_imported() -> None:
    """Register every class of ours with its Auto class as soon as transformers has imported that."""
    auto = "transformers.models.auto"
    wrapt.register_post_import_hook(_register_config, f"{auto}.configuration_auto")
    wrapt.register_post_import_hook(_register_feature_extractor, f"{auto}.feature_extraction_auto")
    wrapt.register_post_import_hook(_register_models, f"{auto}.modeling_auto")
