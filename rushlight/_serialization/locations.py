"""Where storages lie, by the names that files give to devices: functions of `register_package`.

Each entry names the device of a storage (its tagger) and puts a storage on a device by that name
(its deserializer); either returns None for what it does not know. Lower priorities are asked first.
"""

import rushlight as rl


def _cpu_tag(storage):
    return "cpu" if storage.device.type == "cpu" else None


def _cpu_place(storage, location):
    return storage if location.partition(":")[0] == "cpu" else None


def _meta_tag(storage):
    return "meta" if storage.device.type == "meta" else None


def _meta_place(storage, location):
    if location.partition(":")[0] != "meta":
        return None
    return rl.empty(storage.nbytes(), dtype=rl.uint8, device="meta").untyped_storage()


registry = [(10, _cpu_tag, _cpu_place), (22, _meta_tag, _meta_place)]


def register(priority, tagger, deserializer):
    registry.append((priority, tagger, deserializer))
    registry.sort(key=lambda entry: entry[0])


def tag_of(storage):
    """The name of the device of a storage."""
    for _, tagger, _ in registry:
        location = tagger(storage)
        if location:
            return location
    raise RuntimeError(f"save: don't know how to determine data location of {rl.typename(storage)}")


def place(storage, location):
    """The storage on the device of that name."""
    for _, _, deserializer in registry:
        placed = deserializer(storage, location)
        if placed is not None:
            return placed
    raise RuntimeError(
        f"Attempting to deserialize an object on device {location!r}, which is not available here. "
        "Use map_location=torch.device('cpu') to load its tensors to the CPU."
    )
