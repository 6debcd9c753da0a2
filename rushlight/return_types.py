"""The classes of named results: ``torch.return_types.max`` is what ``x.max(0)`` returns.

There is one for each op with several named results (`ops/_results.py` makes them); nothing is
listed here.
"""

from rushlight.ops import _record, _results

from rushlight.ops import histogram as _histogram  # noqa: F401  (has one that is no record's)


def _records():
    return {_results.name_of(r): r for r in _record.records.values() if r.returns_named}


def __getattr__(name):
    if name == "all_return_types":
        return [_results.results_of(r) for r in _records().values()]
    if name in _results.made:
        return _results.made[name]
    found = _records()
    if name.endswith("_out") and name[:-4] in found:  # of calls with out=, the same class here
        name = name[:-4]
    record = found.get(name) or found.get(f"linalg_{name}")  # slogdet is in both namespaces
    if record is None:
        from rushlight._removed import absent

        raise absent(__name__, name)
    return _results.results_of(record)


def __dir__():
    return sorted({*globals(), *_results.made, *_records(), "all_return_types"})
