"""Walks the names of PyTorch 0.3.0 in a process in which this package is ``torch``, and prints what
is wrong as JSON. Run by test_early_names.py.
"""

import importlib
import json
import pathlib
import sys
import warnings

import rushlight

DATA = pathlib.Path(__file__).parents[1] / "data" / "early_names.json"


def resolve(name):
    """What a dotted name stands for. ImportError or AttributeError if it stands for nothing."""
    parts, refusal = name.split("."), None
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        except ImportError as error:
            refusal = error
            continue
        for part in parts[cut:]:
            try:
                found = getattr(found, part)
            except AttributeError as error:
                raise (refusal or error) from None
        return found
    raise refusal


def said_about(name):
    """What a removed name says when it is used; None if it still computes something."""
    try:
        resolve(name)(rushlight.ones(1))
    except TypeError as error:
        return None if "argument" in str(error) else str(error)
    except Exception as error:
        return str(error)
    return None


def main():
    warnings.simplefilter("ignore")
    rushlight.install_as_torch()
    names, wrong = json.loads(DATA.read_text()), []
    for name in names["kept"]:
        try:
            resolve(name)
        except (AttributeError, ImportError) as error:
            wrong.append(f"{name}: {error}")
    for name, instead in names["removed"].items():
        said = said_about(name)
        if (instead not in said) if said is not None else instead:
            wrong.append(f"{name}: expected {instead or 'it to work'}, it says: {said}")
    json.dump(wrong, sys.stdout)


if __name__ == "__main__":
    main()
