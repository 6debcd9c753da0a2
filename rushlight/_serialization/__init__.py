"""How `save` and `load` work inside; users import `rushlight.serialization`.

`names.py` maps names in files to objects, `rebuild.py` makes tensors from their parts, `writer.py`
and `reader.py` do the zip container, `pickling.py` writes the pickle, `safe_pickle.py` reads it
without executing anything, `loading.py` joins them, `legacy.py` reads and writes the older stream
format.
"""
