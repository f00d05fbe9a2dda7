"""The manifest of a model folder, as `psgimg sft` writes it after pages of a dataset."""

from psgimg.builder.dataset import prompts
from psgimg.finetune.models.manifest import ModelFolder


def manifest(built, **values):
    """Return the manifest of a model that learned pages of a dataset, given its ``build.json``.

    Every value of ``ModelFolder`` can be replaced.
    """
    return ModelFolder(
        **{
            "prompt": prompts.load("closed"),
            "prompt_name": "closed",
            "context": 0,
            "recipe": built["recipe"],
            "recipe_hash": built["recipe_hash"],
            "policy": built["policy"],
            "corpora": tuple(built["corpora"]),
            "subjects": (),
            "dataset": {"id": "out", "config": None, "revision": None},
            "base_model": "tiny",
            "max_pixels": None,
            **values,
        }
    )
