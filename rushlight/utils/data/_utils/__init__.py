"""Parts of the loader that users may extend or that PyTorch keeps under this name.

`collate.py` and `pin_memory.py` work on batches, `fetch.py` reads them, `info.py` says where code
runs, `seeding.py` seeds workers; `channel.py`, `segments.py`, `worker.py` and `pool.py` are the
worker processes.
"""
