"""The examples run, and a resumed run ends with the very numbers of an uninterrupted one."""

import os
import pathlib
import subprocess
import sys

import pytest

import rushlight as rl

EXAMPLES = pathlib.Path(__file__).parent.parent.parent / "examples"

pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

NAMES = {
    "Finnish": "Virtanen Korhonen Mäkinen Nieminen Mäkelä Hämäläinen Laine Heikkinen Koskinen",
    "Italian": "Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco",
}


def start(program, *arguments):
    """Run an example on the package that this test imports, installed or not."""
    package = os.path.dirname(os.path.dirname(rl.__file__))
    path = os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, EXAMPLES / program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "PYTHONPATH": path},
    )


def run(program, *arguments):
    done = start(program, "--quiet", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_resume(tmp_path, program, checkpoint, *settings):
    """Two epochs, a stop and two more equal four epochs, to the bit."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(program, "--out", whole, *settings)
    run(program, "--out", parts, "--stop-after", 2, *settings)
    last = run(program, "--out", parts, "--resume", *settings)
    assert "resuming after epoch 2" in last
    a, b = rl.load(whole / checkpoint), rl.load(parts / checkpoint)
    assert a["history"] == b["history"] and len(a["history"]["loss"]) == 4
    for name in a["model"]:
        assert rl.equal(a["model"][name], b["model"][name])
    assert rl.equal(a["torch_rng"], b["torch_rng"]) and rl.equal(a["loader_rng"], b["loader_rng"])


def test_digits_resume_equals_uninterrupted(tmp_path):
    pytest.importorskip("sklearn")
    check_resume(tmp_path, "train_digits.py", "digits.pt", "--epochs", 4, "--width", 8)
    history = rl.load(tmp_path / "whole/digits.pt")["history"]
    assert history["loss"][-1] < history["loss"][0] and history["accuracy"][-1] > 0.9
    assert (tmp_path / "whole/digits.png").read_bytes().startswith(b"\x89PNG")


def test_names_resume_and_prediction(tmp_path):
    data = tmp_path / "names"
    data.mkdir()
    for language, names in NAMES.items():
        (data / f"{language}.txt").write_text("\n".join(names.split()), encoding="utf-8")
    settings = ("--data", data, "--epochs", 4, "--hidden", 16)
    check_resume(tmp_path, "classify_names.py", "names.pt", *settings)
    answer = run("classify_names.py", "--out", tmp_path / "whole", "--predict", "Lahtinen")
    assert "Finnish" in answer and "%" in answer


def test_names_of_faker_reach_twice_the_majority(tmp_path):
    pytest.importorskip("faker")
    out = run("classify_names.py", "--out", tmp_path, "--epochs", 2)
    majority = float(out.split("most frequent language: ")[1].split()[0])
    final = float(out.split("final held-out accuracy: ")[1].split()[0])
    assert final >= 2 * majority


def test_missing_cifar10_is_explained(tmp_path):
    archive = tmp_path / "cifar-10-python.tar.gz"
    archive.write_bytes(b"damaged")
    done = start("train_digits.py", "--data", "cifar10", "--root", tmp_path)
    assert done.returncode != 0 and "md5" in done.stderr and "Traceback" not in done.stderr


#: program -> (steps of a short run, what its last line must say)
GALLERY = {
    "actor_critic.py": (10, "steps upright"),
    "autoencoder.py": (20, "held-out error"),
    "bert_classifier.py": (10, "accuracy on new sequences"),
    "char_gpt.py": (8, "bits a character"),
    "custom_function.py": (100, "held-out accuracy"),
    "dcgan.py": (5, "losses"),
    "dqn.py": (600, "steps upright"),
    "ebm.py": (3, "energy of held-out digits"),
    "gcn.py": (200, "members on the right side"),
    "language_model.py": (5, "bits a character"),
    "mixed_precision.py": (20, "held-out accuracy"),
    "resnet.py": (10, "held-out accuracy"),
    "seq2seq.py": (5, "held-out numbers"),
    "style_transfer.py": (2, "loss"),
    "vae.py": (20, "negative bound"),
}


def test_every_program_is_tested():
    parts = {"common.py", "cartpole.py", "cifar10.py", "names_data.py"}
    longer = {"train_digits.py", "classify_names.py", "rbm.py"}
    assert {path.name for path in EXAMPLES.glob("*.py")} == parts | longer | set(GALLERY)


@pytest.mark.parametrize("program", GALLERY)
def test_gallery_runs(program, tmp_path):
    pytest.importorskip("sklearn")
    steps, words = GALLERY[program]
    out = run(program, "--steps", steps, "--out", tmp_path)
    assert words in out.strip().splitlines()[-1]
    for picture in tmp_path.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_boltzmann_machine_prefers_data_to_noise(tmp_path):
    pytest.importorskip("sklearn")
    last = run("rbm.py", "--steps", 100, "--k", 2, "--out", tmp_path).splitlines()[-1]
    of_data, of_noise = [
        float(part.split(",")[0].split()[-1]) for part in last.split(", of noise ")
    ]
    assert of_data < of_noise
