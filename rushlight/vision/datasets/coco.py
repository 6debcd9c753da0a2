"""COCO: pictures with captions, or with boxes and outlines of what is in them, listed in one JSON
file. It is read here; pycocotools is not needed.
"""

import json
import os

from .._pillow import pillow
from .vision import VisionDataset

__all__ = ["CocoCaptions", "CocoDetection"]


class CocoDetection(VisionDataset):
    """Pictures and, for each, the list of its annotations as dicts.

    Lin et al.: Microsoft COCO: Common objects in context (2014). Samples are in the order of the
    pictures' numbers.

    Args:
        root: folder of the pictures.
        annFile: the JSON file.
        transform, target_transform: applied to picture and annotations.
        transforms: takes and returns both.

    Raises ValueError if the file is not in COCO's format.
    """

    def __init__(self, root, annFile, transform=None, target_transform=None, transforms=None):
        super().__init__(root, transforms, transform, target_transform)
        with open(annFile, encoding="utf-8") as file:
            listed = json.load(file)
        if not isinstance(listed, dict) or "images" not in listed:
            raise ValueError(f"{type(self).__name__}: {annFile} has no list of 'images'")
        self.images = {image["id"]: image for image in listed["images"]}
        self.categories = {c["id"]: c for c in listed.get("categories", ())}
        self.annotations = {number: [] for number in self.images}
        for annotation in listed.get("annotations", ()):
            self.annotations.setdefault(annotation["image_id"], []).append(annotation)
        self.ids = sorted(self.images)

    def _load_image(self, number):
        path = os.path.join(self.root, self.images[number]["file_name"])
        return pillow("Image").open(path).convert("RGB")

    def _load_target(self, number):
        return self.annotations[number]

    def __getitem__(self, index):
        if not isinstance(index, int):
            raise ValueError(f"{type(self).__name__}: expected an int as index, got {index!r}")
        number = self.ids[index]
        image, target = self._load_image(number), self._load_target(number)
        return (image, target) if self.transforms is None else self.transforms(image, target)

    def __len__(self):
        return len(self.ids)


class CocoCaptions(CocoDetection):
    """Pictures and, for each, the list of its captions; see `CocoDetection`."""

    def _load_target(self, number):
        return [annotation["caption"] for annotation in self.annotations[number]]
