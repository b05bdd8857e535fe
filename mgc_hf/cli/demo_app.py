"""`mgc-hf demo-app`: a page in the browser that names the genre of a clip."""

from typing import Annotated, Any

import typer

from mgc_hf.errors import OptionError


def demo_app_command(
    model: Annotated[str, typer.Argument(metavar="FOLDER", help="Model folder or Hub repository.")],
    port: Annotated[
        int | None,
        typer.Option("--port", help="Port; the first that is free from 7860 on by default.", min=1, max=65535),
    ] = None,
    share: Annotated[
        bool, typer.Option("--share", help="Also make an address that anyone on the internet can open.")
    ] = False,
) -> None:
    """Show a page on this computer: upload or record a clip, see its genres along time and its spectrogram.

    No code of a model's repository is run: the pipeline is that of the package.

    Exit status: 0 when it was stopped, 1 if the model cannot be loaded, 2 for wrong usage or a port that is taken.
    """
    app = _app()
    page = app.build(_pipeline(model), name=_name(model), link=_link(model))
    try:
        _, address, shared = app.serve(page, server_port=port, share=share, quiet=True, prevent_thread_lock=True)
    except OSError as error:  # Gradio's own, in several lines
        where = f"port {port} is taken or may not be used" if port else "no port from 7860 on is free"
        raise OptionError(f"{where}; name another one with --port") from error
    print(f"{page.title}: open {address} in a browser; Ctrl+C ends it", flush=True)
    if shared:
        print(f"for anyone, until it ends: {shared}", flush=True)
    page.block_thread()


def _app() -> Any:
    """Return the module of the page.

    Raises:
        OptionError: Gradio is not installed.
    """
    try:
        import gradio  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        raise OptionError(
            "demo-app needs the package gradio, which is not installed: pip install 'gradio>=6.31,<7'"
        ) from None
    from mgc_hf.app import genre_app

    return genre_app


def _pipeline(name: str) -> Any:
    """Load a model behind the pipeline class of the package, so that no code of a repository is run.

    Raises:
        CheckpointError: There is no complete model of this name, or the Hub is too busy.
    """
    import torch
    from transformers import pipeline

    from mgc_hf.hub import patient_reading
    from mgc_hf.models.build import load_model
    from mgc_hf.models.mel_lstm.pipeline_genre import GenrePipeline

    with patient_reading(name):
        model, feature_extractor = load_model(name)
    return pipeline(
        "audio-classification",
        model=model,
        feature_extractor=feature_extractor,
        pipeline_class=GenrePipeline,
        device=0 if torch.cuda.is_available() else -1,
    )


def _name(model: str) -> str:
    from pathlib import Path

    return Path(model).resolve().name if _is_local(model) else model


def _link(model: str) -> str | None:
    if _is_local(model):
        return None
    from huggingface_hub.constants import ENDPOINT

    return f"{ENDPOINT}/{model}"


def _is_local(model: str) -> bool:
    from mgc_hf.models.checkpoint import is_local

    return is_local(model)
