"""The bytes of a storage, as a writable memoryview.

What is done with them is in `writer.py` and `reader.py`.
"""


def bytes_of(storage):
    """All bytes of an untyped storage, shared, not copied."""
    return memoryview(storage).cast("B")
