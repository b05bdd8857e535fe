"""Makes transformers' Auto classes know our models, without importing transformers.

Each hook runs when the module of its Auto class has been imported, or at once if it is already there, so the order of
`import mgc_hf` and `import transformers` does not matter and nothing heavy is imported before it is needed:
registering the model classes imports `modeling_utils`, so it waits for `modeling_auto`.
"""

from types import ModuleType

import wrapt

from mgc_hf.models import OWN_MODELS

#: Module of transformers -> the Auto classes in it.
_AUTO_CLASSES = {
    "configuration_auto": ("AutoConfig",),
    "feature_extraction_auto": ("AutoFeatureExtractor",),
    "modeling_auto": ("AutoModel", "AutoModelForAudioClassification"),
}


def _register(module: ModuleType) -> None:
    from mgc_hf.models.own import own_class

    for auto_class in _AUTO_CLASSES[module.__name__.rpartition(".")[2]]:
        for model_type in OWN_MODELS:
            own = own_class(model_type, auto_class)
            if own is not None:
                key = model_type if auto_class == "AutoConfig" else own_class(model_type, "AutoConfig")
                getattr(module, auto_class).register(key, own, exist_ok=True)


def register_when_imported() -> None:
    """Register every class of ours with its Auto class as soon as transformers has imported that."""
    for name in _AUTO_CLASSES:
        wrapt.register_post_import_hook(_register, f"transformers.models.auto.{name}")
