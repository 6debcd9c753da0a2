"""Records torchvision's answers for the vision tests in the JSON files beside it.

Run `python tests/data/record_vision.py` with an interpreter that has torchvision; the programs are
in tests/behaviour/vision_programs.py.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "behaviour"))


def write(name, content):
    (HERE / f"{name}.json").write_text(json.dumps(content, indent=0) + "\n")


def main():
    import torch
    import torchvision
    import vision_programs as programs

    transforms = torchvision.transforms
    answers = {
        expression: programs.transform(torch, transforms, expression, kinds)
        for expression, kinds in programs.TRANSFORMS.items()
    }
    write("vision_transforms", answers)
    models = torchvision.models
    names = [name for name in models.list_models(module=models) if not name.startswith("maxvit")]
    states = {}
    for name in names:
        # RegNets compute their widths with tensors, so they need real ones.
        with torch.device("cpu" if name.startswith("regnet") else "meta"):
            states[name] = programs.state_digest(models.get_model(name))
    runs = {name: programs.model(torch, models, name, n) for name, n in programs.MODELS.items()}
    write("vision_models", {"states": states, "runs": runs})


if __name__ == "__main__":
    main()
