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


if __name__ == "__main__":
    main()
