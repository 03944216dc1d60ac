"""Exports, read by the tools that they are for, each in an environment of its own: see readers/prove.sh."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from support.export_set import write_export
from support.paths import SUPPORT

READERS = Path(os.environ.get("MOSSGEN_READERS", "not-there"))
SCRIPTS = SUPPORT / "readers"
ASSISTANT_ONLY = "Call it the red kite of week"  # what every answer begins with


def run(tool, *command, cwd, **variables):
    """A command of the tool's own environment: its output. Skips where there is no such environment."""
    programs = READERS.absolute() / tool / "bin"
    if not (programs / "python").is_file():
        pytest.skip(
            f"{tool} has no environment here: `tests/support/readers/prove.sh DIR {tool}` makes one and runs this"
        )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(cwd / "hub"), "CUDA_VISIBLE_DEVICES": ""}
    environment.pop("PYTHONPATH", None)
    name, *rest = map(str, command)
    done = subprocess.run(
        [programs / name, *rest], cwd=cwd, env={**environment, **variables}, capture_output=True, text=True
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout + done.stderr


def script(tool, name, *arguments, cwd):
    """What one of our scripts prints last in the tool's environment."""
    lines = run(tool, "python", "-P", SCRIPTS / name, *arguments, cwd=cwd).splitlines()
    return json.loads(next(line for line in reversed(lines) if line.startswith("{")))


@pytest.fixture
def vlm(tmp_path):
    """A function that makes a tiny random vision-language model in a tool's environment."""

    def made(tool):
        folder = tmp_path / "vlm"
        run(tool, "python", "-P", SCRIPTS / "tiny_vlm.py", folder, cwd=tmp_path)
        return folder

    return made


# -- trainers: one real step ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["sft", "dpo", "kto"])
def test_trl_trains_a_step(method, vlm, tmp_path):
    out, examples = write_export(f"trl-{method}", tmp_path)
    done = script("trl", "trl_step.py", out, vlm("trl"), method, tmp_path / "work", cwd=tmp_path)
    assert done["rows"] == len(examples) * (2 if method == "kto" else 1)
    assert done["pictures"][1:] == [3, 28, 28]
    assert 0 < done["loss"] < 10
    assert any("vision_tower" in name for name in done["moved"])  # the pictures were looked at


@pytest.mark.parametrize("method", ["sft", "dpo", "kto"])
def test_llama_factory_trains_a_step(method, vlm, tmp_path):
    out, _ = write_export("llama-factory", tmp_path)
    said = run(
        "llama-factory", "llamafactory-cli", "train", "--stage", method, "--dataset", f"mossgen_demo_{method}",
        "--dataset_dir", ".", "--media_dir", ".", "--model_name_or_path", vlm("llama-factory"), "--template", "llava",
        "--do_train", "true", "--finetuning_type", "full", "--max_steps", 1, "--per_device_train_batch_size", 2,
        "--output_dir", tmp_path / "work", "--save_strategy", "no", "--report_to", "none", "--use_cpu", "true",
        cwd=out,
    )  # fmt: skip
    assert "USER: <image><image><image><image>What could we call this in week 0? ASSISTANT:" in said
    assert f"{ASSISTANT_ONLY} 0.</s>" in said
    assert "train_steps_per_second" in said


@pytest.mark.parametrize("method", ["sft", "dpo", "kto", "openai-jsonl"])
def test_ms_swift_trains_a_step(method, vlm, tmp_path):
    out, _ = write_export("openai-jsonl" if method == "openai-jsonl" else "ms-swift", tmp_path)
    verb = ["rlhf", "--rlhf_type", method] if method in ("dpo", "kto") else ["sft"]
    file = "train.jsonl" if method == "openai-jsonl" else f"{method}.jsonl"
    said = run(
        "ms-swift", "swift", *verb, "--dataset", out / file, "--model", vlm("ms-swift"), "--model_type", "llava1_5_hf",
        "--template", "llava1_5_hf", "--tuner_type", "full", "--max_steps", 1, "--per_device_train_batch_size", 2,
        "--gradient_accumulation_steps", 1, "--output_dir", tmp_path / "work", "--save_strategy", "no",
        "--report_to", "none", "--use_cpu", "true", "--torch_dtype", "float32", "--bf16", "false",
        "--split_dataset_ratio", 0, "--dataloader_num_workers", 0, cwd=tmp_path,
        ROOT_IMAGE_DIR=str(out), USE_HF="1", MODELSCOPE_CACHE=str(tmp_path / "cache"),
    )  # fmt: skip
    assert "<s>USER: " in said
    assert "[3 * 4]" in said  # the four tokens of one picture
    assert "'train_loss'" in said


def test_axolotl_trains_a_step(vlm, tmp_path):
    out, _ = write_export("axolotl", tmp_path)
    mine = {
        "base_model": str(vlm("axolotl")), "chat_template": "tokenizer_default", "sequence_len": 2048, "max_steps": 1,
        "micro_batch_size": 2, "gradient_accumulation_steps": 1, "learning_rate": 0.01, "optimizer": "adamw_torch",
        "lr_scheduler": "constant", "bf16": False, "tf32": False, "output_dir": str(tmp_path / "work"),
        "save_strategy": "no",
    }  # fmt: skip
    lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in mine.items())
    (tmp_path / "train.yaml").write_text((out / "dataset.yaml").read_text() + lines)
    said = run(
        "axolotl", "python", "-m", "axolotl.cli.train", "train.yaml", cwd=tmp_path,
        AXOLOTL_DO_NOT_TRACK="1", ACCELERATE_USE_CPU="1",
    )  # fmt: skip
    assert "'train_loss'" in said
    assert "Training completed" in said


# -- harnesses -----------------------------------------------------------------------------------------


def test_mlcroissant_reads_the_records(tmp_path):
    out, examples = write_export("parquet", tmp_path)
    found = script("croissant", "croissant_records.py", out, cwd=tmp_path)
    assert found["errors"] == []
    assert found["questions"] == [e.question for e in examples]
    assert found["sizes"] == [[24, 16]] * len(examples)


def test_lmms_eval_loads_and_scores_the_tasks(tmp_path):
    out, examples = write_export("lmms-eval", tmp_path)
    tasks = script("lmms-eval", "lmms_eval_docs.py", out, "mossgen_demo", "mossgen_demo_judge", cwd=tmp_path)
    for task in tasks.values():
        assert task["questions"] == [e.question for e in examples]
        assert task["sizes"] == [[24, 16]] * len(examples)
    scores = tasks["mossgen_demo"]["scores"]
    assert [row["over_refusal_rate"] for row in scores[:4]] == [1.0] * 4
    assert scores[4]["harmful_answered_rate"] == 0.0


def test_pyrit_loads_the_dataset(tmp_path):
    out, examples = write_export("pyrit", tmp_path)
    found = script("pyrit", "pyrit_seeds.py", out / "mossgen_demo.yaml", cwd=tmp_path)
    assert found["values"][1::2] == [e.question for e in examples]
    assert all(Path(value).is_file() for value in found["values"][::2])
    assert found["groups"] == len(examples)


def test_inspect_runs_the_task_with_its_mock_model(tmp_path):
    out, _ = write_export("inspect", tmp_path)
    found = script("inspect", "inspect_eval.py", cwd=out)
    # three refusals of harmless items, one harmless item answered, one harmful one answered
    assert found["by_keywords"] == ["0.0", "0.0", "0.0", "1.0", "0.0"]
    assert found["by_judge"] == ["0.0", "0.0", "0.0", "nan", "nan"]
