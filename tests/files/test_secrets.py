"""Tokens and keys of any shape are masked; ordinary messages stay as they are."""

from __future__ import annotations

import subprocess
import sys

import pytest
from psgimg.builder.files import secrets

SHAPES = {
    "hf_AbCdEfGh1234": "AbCdEfGh1234",
    "sk-proj-Abc123Def456Ghi": "Abc123Def456Ghi",
    "ghp_16C7e42F292c6912E7": "16C7e42F292c6912E7",
    "Authorization: Bearer abc.def/ghi=": "abc.def",
    "authorization: Basic dXNlcjpwYXNz": "dXNlcjpwYXNz",
    "{'Authorization': 'custom-5ecret'}": "custom-5ecret",
    "https://user:pa55word@server/v1/chat": "pa55word",
    "https://token-in-place-of-user@server/v1": "token-in-place-of-user",
    "https://server/v1?token=ab1&x=2": "ab1",
    "https://bucket/file?X-Amz-Signature=0f1e": "0f1e",
    '{"api_key": "zz-11-22-33"}': "zz-11-22-33",
    "X-Api-Key: zz112233": "zz112233",
    "--api-key zz112233": "zz112233",
    "--hub-token zz112233": "zz112233",
    "--hub_token=lettersonly": "lettersonly",
    "HF_TOKEN=lettersonly": "lettersonly",
    "export OPENAI_API_KEY='lettersonly'": "lettersonly",
    '{"api_key": "lettersonly"}': "lettersonly",
    "{'db_password': 'lettersonly'}": "lettersonly",
    "x-api-key: lettersonly": "lettersonly",
    "https://user:pa55@w0rd@server/v1": "w0rd",
    "PASSWORD=correct1horse": "correct1horse",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln": "eyJzdWIiOiIxIn0",
    "AKIAIOSFODNN7EXAMPLE": "IOSFODNN7EXAMPLE",
    "12345-AbCdEfGhIjKlMnOpQrSt": "AbCdEfGhIjKlMnOpQrSt",
}


@pytest.mark.parametrize("text", SHAPES)
def test_a_secret_is_recognised_by_its_shape(text):
    masked = secrets.mask(f"401: refused ({text}); try again")
    assert SHAPES[text] not in masked
    assert masked.startswith("401: refused (")
    assert "…" in masked


@pytest.mark.parametrize(
    "name",
    [
        *("HF_TOKEN", "OPENAI_API_KEY", "MY_SERVER_TOKEN", "NSRR_TOKEN", "AWS_SECRET_ACCESS_KEY"),
        *("SERVER_KEY", "PGPASSWORD", "PROFILE_TOKEN", "APIKEY"),
    ],
)
@pytest.mark.parametrize("value", ["plainwordsonly", "a token/with+signs", "0123-4567"])
def test_a_secret_of_this_process_is_recognised_whatever_its_shape(name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    assert value not in secrets.mask(f"can't log in with {value!r} at the server")


def test_a_path_of_a_token_is_no_secret(monkeypatch):
    monkeypatch.setenv("HF_TOKEN_PATH", "/home/me/token")
    assert secrets.mask("no token in /home/me/token") == "no token in /home/me/token"


def test_the_stored_token_is_masked(tmp_path, monkeypatch):
    (tmp_path / "token").write_text("stored-without-a-shape\n")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_TOKEN_PATH", raising=False)
    assert secrets.mask("bad: stored-without-a-shape") == "bad: …"


@pytest.mark.parametrize(
    "text",
    [
        "no Hub token: run `hf auth login`, or set HF_TOKEN to a token with write access "
        "(https://huggingface.co/settings/tokens)",
        "the Hub token is read-only: create one at https://huggingface.co/settings/tokens",
        "psgimg build --source my-lab.yaml --split-file usleep.csv --seed 20260101",
        "shhs1-200001: the run at 30 s lasts 10 s; write to data@sleep.example.org",
        "01-05-0001, tp8cbd54f0_4751_4e2c_8a3b_0123456789ab, mros-visit1-aa0001, II-003-1",
        "recipe-0f1e2d3c4b5a6978, sha256 " + "0f" * 32,
        "--token requires an argument; eos_token=None, pad_token='<|im_end|>', token: invalid",
        '{"token": "REM", "logprob": -0.1}',
        "the loss covers the token that ends its turn; tokens: 5000000",
    ],
)
def test_ordinary_messages_stay_as_they_are(text):
    assert secrets.mask(text) == text


def test_json_is_masked_at_every_depth_and_keeps_its_form():
    values = {"a": ["--token=abc123def", 1, None, {"b": ("sk-abcdefgh12345", True)}]}
    assert secrets.mask_json(values) == {"a": ["--token=…", 1, None, {"b": ["sk-…", True]}]}


def test_an_unexpected_error_shows_its_traceback_without_the_secret():
    program = (
        "from psgimg.builder import cli\n"
        "def fails(**_): raise RuntimeError('Invalid header Bearer s3cret.value')\n"
        "cli.command_line = lambda: fails\n"
        "cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "RuntimeError" in done.stderr
    assert "s3cret" not in done.stderr
