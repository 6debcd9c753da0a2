"""Stores that processes meet at: one served over TCP, and one in a file."""

import socket
import threading
import time
from datetime import timedelta

import pytest
from distributed_runs import run

from rushlight import distributed as dist

BRIEF = timedelta(milliseconds=50)


def _stores(kind, tmp_path):
    """A store, and another view of the same values."""
    if kind == "file":
        return dist.FileStore(str(tmp_path / "store")), dist.FileStore(str(tmp_path / "store"))
    if kind == "hash":
        store = dist.HashStore()
        return store, store
    served = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    return served, served.clone()


@pytest.fixture(params=["hash", "file", "tcp"])
def stores(request, tmp_path):
    return _stores(request.param, tmp_path)


def test_values_are_those_of_all(stores):
    store, other = stores
    store.set("key", "value")
    other.set("raw", b"\xff\0")
    assert other.get("key") == b"value" and store.get("raw") == b"\xff\0"
    assert (store.add("n", 5), other.add("n", -2), store.get("n")) == (5, 3, b"3")
    store.append("a", "x")
    other.append("a", "y")
    assert store.get("a") == b"xy"
    assert other.check(["key", "n"]) and not other.check(["key", "absent"]) and store.check([])
    assert store.compare_set("c", "", "first") == b"first"
    assert other.compare_set("c", "no", "second") == b"first"
    assert store.compare_set("c", "first", "third") == b"third"
    assert store.compare_set("d", "wanted", "x") == b"wanted"
    assert other.delete_key("key") and not store.delete_key("key")
    store.multi_set(["x", "y"], ["1", "2"])
    assert other.multi_get(["x", "y"]) == [b"1", b"2"]
    assert store.num_keys() == 6 and sorted(other.list_keys()) == ["a", "c", "n", "raw", "x", "y"]
    store.queue_push("q", "1")
    store.queue_push("q", "2")
    assert other.queue_len("q") == 2 and (other.queue_pop("q"), store.queue_pop("q")) == (
        b"1",
        b"2",
    )
    with pytest.raises(dist.QueueEmptyError):
        store.queue_pop("q", block=False)
    inner = dist.PrefixStore("p", store)
    inner.set("k", "v")
    assert other.get("p/k") == b"v" and inner.list_keys() == ["k"] and inner.check(["k"])


def test_waiting_ends_by_a_value_or_by_time(stores):
    store, other = stores
    later = threading.Timer(0.1, other.set, ("late", "now"))
    later.start()
    assert store.get("late") == b"now"
    later.join()
    store.set_timeout(BRIEF)
    assert store.timeout == BRIEF
    for wait in (store.get, lambda key: store.wait([key]), lambda key: store.multi_get([key])):
        with pytest.raises(dist.DistStoreError, match="timeout after 50ms, keys: absent"):
            wait("absent")
    with pytest.raises(dist.DistStoreError, match="10ms"):
        store.wait(["absent"], timedelta(milliseconds=10))
    with pytest.raises(dist.DistStoreError, match="2 keys, but 1 values"):
        store.multi_set(["a", "b"], ["1"])
    with pytest.raises(TypeError, match="str or bytes"):
        store.set("a", 3)
    store.set("text", "abc")
    with pytest.raises(ValueError):
        store.add("text", 1)
    assert store.get("text") == b"abc"


def test_a_served_store_counts_those_that_come():
    brief = timedelta(milliseconds=200)
    with pytest.raises(dist.DistStoreError, match="1 of 2 processes came"):
        dist.TCPStore("127.0.0.1", 0, 2, is_master=True, timeout=brief)
    served = dist.TCPStore("127.0.0.1", 0, 1, is_master=True)
    assert served.num_keys() == 1 and served.list_keys() == []
    with pytest.raises(dist.DistNetworkError, match="cannot serve at port"):
        dist.TCPStore("127.0.0.1", served.port, 1, is_master=True)


def test_a_served_store_survives_strangers_and_says_when_it_is_gone():
    served = dist.TCPStore("127.0.0.1", 0, 1, is_master=True)
    client = served.clone()
    for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\x08" + bytes(15), b""):
        with socket.create_connection(("127.0.0.1", served.port)) as stranger:
            stranger.sendall(nonsense)
    client.set("a", "b")
    assert served.get("a") == b"b"
    del served
    began = time.monotonic()
    with pytest.raises(dist.DistNetworkError, match="lost the server"):
        for _ in range(3):
            client.get("a")
    assert time.monotonic() - began < 5


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes").write_text("not a store")
    with pytest.raises(dist.DistStoreError, match="is not the file of a store"):
        dist.FileStore(str(tmp_path / "notes"))


def test_processes_meet_by_rank_0_and_again():
    run(
        """
    port = int(os.environ["MASTER_PORT"])
    store = dist.TCPStore("127.0.0.1", port, is_master=False, wait_for_workers=False)
    if rank == 0:
        own = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        store.set("own port", str(own.port))
    shared = own if rank == 0 else dist.TCPStore("127.0.0.1", int(store.get("own port")))
    for _ in range(2):
        dist.init_process_group("gloo", store=shared, rank=rank, world_size=size)
        t = rl.ones(2)
        dist.all_reduce(t)
        dist.destroy_process_group()
    assert t.tolist() == [2, 2] and not dist.is_initialized()
    store.add("done", 1)
    while store.add("done", 0) < size:
        time.sleep(0.01)
    """,
        begin="",
        end="",
    )


def test_processes_meet_at_the_address_of_the_environment():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    run(
        """
    address = f"tcp://127.0.0.1:{os.environ['MASTER_PORT']}?world_size={size}"
    for how in ({}, dict(init_method=address, rank=rank), {}):
        dist.init_process_group("gloo", **how)  # maybe before all have left the last world
        t = rl.ones(2)
        dist.all_reduce(t)
        assert t.tolist() == [3, 3]
        dist.destroy_process_group()
    """,
        size=3,
        begin="",
        end="",
        MASTER_PORT=port,
        TORCHELASTIC_USE_AGENT_STORE="False",
    )


def test_processes_meet_in_one_file_again_and_the_last_takes_it_away(tmp_path):
    path = tmp_path / "meeting"
    run(
        f"""
    for count in (1, 2, 3):
        dist.init_process_group("gloo", "file://{path}", rank=rank, world_size=size)
        t = rl.ones(1)
        dist.all_reduce(t)
        dist.destroy_process_group()
    """,
        begin="",
        end="",
    )
    assert not path.exists()
