"""From a dataset to a published adapter that loads by its name, with the real commands and clients."""

import json
import subprocess

import pytest
import tiny
from builds import PSGIMG, run
from hub_server import HubServer
from patience import PATIENCE_S

pytest.importorskip("torch")

PATIENT = f"from psgimg.finetune import hub; hub.REQUEST_S = hub.DEADLINE_S = {PATIENCE_S}; "
"""Has a command wait for the Hub as long as a busy machine needs."""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    place = tmp_path_factory.mktemp("built")
    tiny.write_shhs(place / "shhs", n_subjects=3, visits=(1,), minutes=5)
    run(place / "out", place / "shhs", "shhs", style="paper", splits="1/1/1", seed=3)
    return place / "out"


def test_an_adapter_is_published_as_its_pages_may_be_and_staged_with_by_name(built, tmp_path):
    import tiny_models
    from huggingface_hub import HfApi

    with HubServer() as hub:
        token = hub.token("alice")
        env = hub.environment(tmp_path / "home", token) | {"OMP_NUM_THREADS": "1"}
        tiny_models.build("llava", tmp_path / "base", seed=1)
        api = HfApi(endpoint=hub.url, token=token)
        api.create_repo("alice/base")
        files = [path for path in (tmp_path / "base").iterdir() if path.is_file()]
        for path in files:
            api.upload_file(
                path_or_fileobj=path.read_bytes(), path_in_repo=path.name, repo_id="alice/base"
            )

        def psgimg(*words):
            done = subprocess.run(
                [*PSGIMG[:-1], PATIENT + PSGIMG[-1], *map(str, words)],
                env=env,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
            return done.stdout

        said = psgimg(
            *("sft", f"--dataset={built}", "--model", "alice/base", "--max-steps", 2),
            *("--eval-strategy", "no", "--per-device-train-batch-size", 2),
            *("--push-to-hub", "true", "--hub-model-id", "stager"),
        )
        assert "alice/stager (private, gated): " in said
        assert f"--dataset {built} --split test" in said
        repo = hub.repo("alice/stager", "model")
        assert (repo.private, repo.gated) == (True, "manual"), "shhs is restricted"
        sent = set(repo.head.files)
        assert {"adapter_model.safetensors", "psgimg.json", "README.md"} < sent
        assert not any("checkpoint" in name or name.endswith(".bin") for name in sent)
        adapter = json.loads(repo.head.files["adapter_config.json"].data)
        assert adapter["base_model_name_or_path"] == "alice/base"
        hub.grant("alice/stager", "alice", "model")
        said = psgimg("predict", "--model", "alice/stager", "--dataset", built, "--out", "p.csv")
        assert "pages: accuracy" in said
