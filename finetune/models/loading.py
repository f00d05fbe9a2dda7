"""Model loading: a vision-language model and its processor, from a folder or the Hub."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError
from peft import PeftConfig, PeftModel
from psgimg.builder.errors import BuildError
from psgimg.finetune import hub
from psgimg.finetune.models import compatibility, model_files
from psgimg.finetune.models import manifest as folders
from psgimg.finetune.models.manifest import ModelFolder
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

MISSING_FROM_ADAPTER = "Found missing adapter keys"
"""Beginning of a warning of peft, which then goes on with random numbers."""


@dataclass(frozen=True)
class Loaded:
    """A model that is ready for inference.

    Parameters
    ----------
    model, processor
        As loaded by ``transformers`` or ``peft``; the model in evaluation mode, on its device.
    folder
        Manifest of a model fine-tuned with psgimg; None for other models.
    """

    model: Any
    processor: Any
    folder: ModelFolder | None


def load_for_inference(
    source: str,
    *,
    trust_remote_code: bool = False,
    dtype: str = "auto",
    device: str | None = None,
) -> Loaded:
    """Load a model written by `psgimg sft`, full or adapter, or any vision-language model.

    Parameters
    ----------
    source
        Folder or Hub id.
    dtype
        ``float32``, ``bfloat16``, ``float16``; ``auto`` means that of the weights on a GPU, and
        float32 on a CPU, where the others are slow.
    device
        Name of the device; None for a GPU if there is one.

    Raises
    ------
    BuildError
        If it can't be loaded, is not a vision-language model, has no chat template, or its training
        is not finished.
    """
    gpu = torch.accelerator.is_available() and device != "cpu"
    dtype = "float32" if dtype == "auto" and not gpu else dtype
    manifest = fetch(source, folders.FILE)
    local = hub.folder(source) if manifest is None else manifest.parent
    folder = None if local is None else ModelFolder.of(local)
    adapter = fetch(source, model_files.ADAPTER)
    processor = load_processor(source, trust_remote_code=trust_remote_code)
    if adapter is None:
        model = load_base(source, trust_remote_code=trust_remote_code, dtype=dtype)
    else:
        model = _adapted(source, trust_remote_code, dtype)
    if gpu:
        model = model.to(device or torch.accelerator.current_accelerator())
    return Loaded(model.eval(), processor, folder)


def load_base(
    source: str,
    *,
    revision: str | None = None,
    dtype: str = "auto",
    trust_remote_code: bool = False,
    attention: str | None = None,
    quantization: Any = None,
    device_map: Any = None,
) -> Any:
    """Load the weights of a vision-language model.

    Raises
    ------
    BuildError
        If they can't be loaded, or the model is not a vision-language model.
    """
    options = {"revision": revision, "trust_remote_code": trust_remote_code}
    _config(source, options)
    try:
        model, info = AutoModelForImageTextToText.from_pretrained(
            source,
            dtype=dtype,
            attn_implementation=attention,
            quantization_config=quantization,
            device_map=device_map,
            output_loading_info=True,
            **options,
        )
    except Exception as error:  # of any library below
        raise refusal(source, error) from error
    if absent := sorted(info["missing_keys"]):
        raise _incomplete(source, f"{len(absent)} of its weights, such as {absent[0]},")
    return model


def load_shape(source: str, *, revision: str | None = None, trust_remote_code: bool = False) -> Any:
    """Return a vision-language model without weights, on the meta device.

    Raises
    ------
    BuildError
        As :func:`load_base`.
    """
    config = _config(source, {"revision": revision, "trust_remote_code": trust_remote_code})
    try:
        with torch.device("meta"):
            return AutoModelForImageTextToText.from_config(
                config, trust_remote_code=trust_remote_code
            )
    except Exception as error:  # of any library below
        raise refusal(source, error) from error


def load_processor(
    source: str,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
    template_elsewhere: bool = False,
) -> Any:
    """Load the processor, which turns pages and text into the input of a model.

    Parameters
    ----------
    template_elsewhere
        Accept a processor without a chat template, which will be set later.

    Raises
    ------
    BuildError
        If it can't be loaded, does not accept pictures or has no chat template.
    """
    hub.require(source, "model", revision)
    try:
        processor = AutoProcessor.from_pretrained(
            source, revision=revision, trust_remote_code=trust_remote_code
        )
    except Exception as error:  # of any library below
        raise refusal(source, error) from error
    if getattr(processor, "image_processor", None) is None:
        raise BuildError(
            f"{source}: its processor ({type(processor).__name__}) does not accept pictures; use "
            "a complete vision-language model with its preprocessor_config.json"
        )
    if not getattr(processor, "chat_template", None) and not template_elsewhere:
        raise BuildError(
            f"{source}: no chat template, so the format of its prompts is unknown; use the instruct "
            "version of the model, or pass a template with --chat-template-path FILE.jinja"
        )
    return processor


def refusal(source: str, error: BaseException) -> BuildError:
    """Return a one-line error for a model that can't be loaded, with the remedy."""
    message = " ".join(str(error).split())
    lowered = message.lower()
    local = hub.folder(source)
    lacks_torchvision = find_spec("torchvision") is None and any(
        word in lowered for word in ("torchvision", "video")
    )
    if local and (fault := model_files.fault(local, "" if lacks_torchvision else message)):
        return BuildError(fault)
    if "custom code" in lowered or "trust_remote_code" in lowered:
        remedy = "the model has custom code; review it, then pass --trust-remote-code true"
    elif lacks_torchvision:
        remedy = "its processor needs torchvision: pip install torchvision"
    elif "does not recognize this architecture" in lowered:
        remedy = (
            "the installed transformers does not support it: pip install --upgrade transformers"
        )
    elif "bitsandbytes" in lowered:
        remedy = "loading in 4 or 8 bit needs: pip install bitsandbytes"
    elif "size mismatch" in lowered or "ignore_mismatched_sizes" in lowered:
        remedy = f"its weights have other shapes than its configuration says; {model_files.AGAIN}"
    elif isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in lowered:
        remedy = (
            "too little memory to load it; free some, or use a smaller model or --dtype bfloat16"
        )
    elif local is None and isinstance(error, HfHubHTTPError | HFValidationError | OSError):
        remedy = (
            "use a folder with a model or the id of one on the Hub; for a gated or private one, "
            f"log in with `hf auth login` ({message[:200]})"
        )
    else:
        remedy = (
            f"it can't be loaded ({type(error).__name__}: {message[:200]}); use another version of "
            "transformers and peft, or another model"
        )
    return BuildError(f"{source}: {remedy}")


def _config(source: str, options: dict[str, Any]) -> Any:
    """Load the configuration of a vision-language model; BuildError if it is another model."""
    hub.require(source, "model", options["revision"])
    try:
        config = AutoConfig.from_pretrained(source, **options)
    except Exception as error:  # of any library below
        raise refusal(source, error) from error
    remote = "AutoModelForImageTextToText" in (getattr(config, "auto_map", None) or {})
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING and not remote:
        raise BuildError(
            f"{source}: {config.model_type} is not a model for pictures and text; use a "
            "vision-language model, such as a Qwen-VL, SmolVLM, Gemma 3 or LLaVA, or tiny"
        )
    return config


def _adapted(source: str, trust_remote_code: bool, dtype: str) -> Any:
    """Load a base model with an adapter on top."""
    try:
        config = PeftConfig.from_pretrained(source)
    except Exception as error:  # of any library below
        raise refusal(source, error) from error
    if not config.base_model_name_or_path:
        raise BuildError(
            f"{source}: {model_files.ADAPTER} names no base model; {model_files.AGAIN}"
        )
    try:
        hub.require(config.base_model_name_or_path, "model", config.revision)
    except BuildError as error:
        raise BuildError(
            f"{source} is an adapter, whose base model is missing: {error}; or write where it is now "
            f"into {model_files.ADAPTER}"
        ) from error
    base = load_base(
        config.base_model_name_or_path,
        revision=config.revision,
        trust_remote_code=trust_remote_code,
        dtype=dtype,
    )
    try:
        with compatibility.without_deprecations():
            warnings.filterwarnings("error", MISSING_FROM_ADAPTER)
            return PeftModel.from_pretrained(base, source)
    except UserWarning as error:
        if not str(error).startswith(MISSING_FROM_ADAPTER):
            raise
        raise _incomplete(source, "weights of its adapter") from error
    except Exception as error:  # of any library below
        raise refusal(source, error) from error


def _incomplete(source: str, absent: str) -> BuildError:
    """Return the error for a model of which weights would be random numbers, as libraries allow."""
    return BuildError(
        f"{source}: {absent} are missing, without which its answers mean nothing; "
        f"{model_files.AGAIN}, or use another version of transformers and peft"
    )


def fetch(source: str, name: str) -> Path | None:
    """Return the local path of a file of a folder or Hub repository; None if there is no such file.

    Raises
    ------
    BuildError
        If the repository can't be accessed.
    """
    if (local := hub.folder(source)) is not None:
        return local / name if (local / name).is_file() else None
    hub.require(source, "model")
    try:
        return Path(hf_hub_download(source, name))
    except EntryNotFoundError:
        return None
    except Exception as error:  # of any library below
        raise refusal(source, error) from None  # the cause may contain the token
