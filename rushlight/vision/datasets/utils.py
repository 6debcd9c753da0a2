"""Files of datasets: checksums, downloads, archives, argument checks.

What a file means is said by the dataset that reads it. A new archive format is an entry of
`_DECOMPRESSORS` or a suffix in `_archive_kind`.
"""

import bz2
import gzip
import hashlib
import lzma
import os
import shutil
import stat
import tarfile
import urllib.error
import urllib.request
import zipfile

__all__ = [
    "calculate_md5",
    "check_integrity",
    "check_md5",
    "download_and_extract_archive",
    "download_url",
    "extract_archive",
    "iterable_to_str",
    "list_dir",
    "list_files",
    "verify_str_arg",
]

_CHUNK = 1 << 20
_USER_AGENT = "rushlight/vision"
_DECOMPRESSORS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_TAR_ALIASES = {".tgz": "tar", ".tbz": "tar", ".tbz2": "tar", ".txz": "tar", ".tar": "tar"}


def calculate_md5(fpath, chunk_size=_CHUNK):
    """The MD5 sum of a file in hexadecimal; it guards against damage, not against forgery."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(fpath, "rb") as file:
        while chunk := file.read(chunk_size):
            digest.update(chunk)
    return digest.hexdigest()


def check_md5(fpath, md5):
    """Whether the file has this MD5 sum."""
    return md5 == calculate_md5(fpath)


def check_integrity(fpath, md5=None):
    """Whether the file exists and, if `md5` is given, has that MD5 sum."""
    return os.path.isfile(fpath) and (md5 is None or check_md5(fpath, md5))


def download_url(url, root, filename=None, md5=None, max_redirect_hops=3):
    """Downloads `url` into the folder `root`, unless the intact file is already there.

    Args:
        filename: name of the file; the last part of the URL if None.
        md5: the MD5 sum to check, or None.
        max_redirect_hops: redirections that are followed.

    Raises RuntimeError if the network, the server or the checksum fails; no partial file stays.
    """
    root = os.path.expanduser(root)
    target = os.path.join(root, filename or os.path.basename(url))
    if check_integrity(target, md5):
        return
    os.makedirs(root, exist_ok=True)
    partial = target + ".part"
    try:
        _fetch(url, partial, max_redirect_hops)
        if not check_integrity(partial, md5):
            raise RuntimeError(
                f"download_url: {url} arrived with MD5 {calculate_md5(partial)}, expected {md5}; "
                "the file is damaged or was replaced"
            )
        os.replace(partial, target)
    except (urllib.error.URLError, OSError) as error:
        raise RuntimeError(
            f"download_url: {url} could not be downloaded ({error}); "
            f"check the network, or put the file at {target} by hand"
        ) from error
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def _fetch(url, path, max_redirect_hops):
    class Redirects(urllib.request.HTTPRedirectHandler):
        max_redirections = max_redirect_hops

    opener = urllib.request.build_opener(Redirects)
    request = urllib.request.Request(url, headers={"User-Agent": _USER_AGENT})
    with opener.open(request, timeout=60) as response, open(path, "wb") as file:
        shutil.copyfileobj(response, file, _CHUNK)


def _archive_kind(path):
    """`(kind, suffix)` of an archive: kind is "tar", "zip" or "file" (one compressed file)."""
    name = os.path.basename(path).lower()
    stem, last = os.path.splitext(name)
    if last == ".zip":
        return "zip", last
    if last in _TAR_ALIASES or (last in _DECOMPRESSORS and stem.endswith(".tar")):
        return "tar", last
    if last in _DECOMPRESSORS:
        return "file", last
    raise RuntimeError(
        f"extract_archive: expected .zip, .tar (also compressed), .gz, .bz2 or .xz, got {name!r}"
    )


def extract_archive(from_path, to_path=None, remove_finished=False):
    """Unpacks an archive; its kind follows from its name. Returns the path of what was unpacked.

    Args:
        to_path: the folder; for a single compressed file, the file. By default the archive's
            folder.
        remove_finished: whether to delete the archive afterwards.

    Raises RuntimeError for unknown kinds, and for archives with members that would be written
    outside of `to_path` or that are devices; nothing is written then.
    """
    from_path = os.fspath(from_path)
    kind, suffix = _archive_kind(from_path)
    if kind == "file":
        to_path = from_path[: -len(suffix)] if to_path is None else os.fspath(to_path)
        with _DECOMPRESSORS[suffix](from_path, "rb") as source, open(to_path, "wb") as target:
            shutil.copyfileobj(source, target, _CHUNK)
    else:
        to_path = os.path.dirname(from_path) if to_path is None else os.fspath(to_path)
        (_extract_tar if kind == "tar" else _extract_zip)(from_path, to_path)
    if remove_finished:
        os.remove(from_path)
    return to_path


def _refuse_outside(archive, folder, name, link=None):
    """RuntimeError if member `name`, or what it links to, lies outside of `folder`."""
    base = os.path.realpath(folder)
    for path in (name,) if link is None else (name, link):
        resolved = os.path.realpath(os.path.join(base, path))
        if os.path.commonpath([base, resolved]) != base:
            raise RuntimeError(
                f"extract_archive: {archive} has a member {name!r} that leads out of {folder!r} "
                f"(to {resolved!r}); the archive is not to be trusted and nothing was unpacked"
            )


def _extract_zip(path, folder):
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if stat.S_ISLNK(member.external_attr >> 16):
                raise RuntimeError(
                    f"extract_archive: {path} links {member.filename!r} symbolically; not supported"
                )
            _refuse_outside(path, folder, member.filename)
        archive.extractall(folder)


def _extract_tar(path, folder):
    with tarfile.open(path) as archive:
        members, links = archive.getmembers(), set()
        for member in members:
            link = None
            if member.issym():
                link = os.path.join(os.path.dirname(member.name), member.linkname)
            elif member.islnk():
                link = member.linkname
            elif not (member.isfile() or member.isdir()):
                raise RuntimeError(f"extract_archive: {path} has a special file {member.name!r}")
            _refuse_outside(path, folder, member.name, link)
            _refuse_through_link(path, member.name, links)
            if link is not None:
                links.add(os.path.normpath(member.name))
        _unpack(archive, members, folder)


def _refuse_through_link(archive, name, links):
    """RuntimeError if the member would be written through a link of the same archive."""
    parts = os.path.normpath(name).split(os.sep)
    for count in range(1, len(parts)):
        if os.sep.join(parts[:count]) in links:
            raise RuntimeError(
                f"extract_archive: {archive} writes {name!r} through a link of its own; "
                "the archive is not to be trusted and nothing was unpacked"
            )


def _unpack(archive, members, folder):
    # `filter` came with security releases of Python; the checks above hold without it.
    safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    archive.extractall(folder, members, **safe)


def download_and_extract_archive(
    url, download_root, extract_root=None, filename=None, md5=None, remove_finished=False
):
    """`download_url` and then `extract_archive` into `extract_root` (`download_root` if None)."""
    download_root = os.path.expanduser(download_root)
    filename = filename or os.path.basename(url)
    download_url(url, download_root, filename, md5)
    archive = os.path.join(download_root, filename)
    kind, suffix = _archive_kind(archive)
    target = extract_root or download_root
    if kind == "file":
        target = os.path.join(target, filename[: -len(suffix)])
    extract_archive(archive, target, remove_finished)


def list_dir(root, prefix=False):
    """Names of the folders in `root`, with the path in front if `prefix`."""
    return _entries(root, os.path.isdir, prefix)


def list_files(root, suffix, prefix=False):
    """Names of the files in `root` that end in `suffix` (or one of a tuple)."""
    return [name for name in _entries(root, os.path.isfile, prefix) if name.endswith(suffix)]


def _entries(root, is_wanted, prefix):
    root = os.path.expanduser(root)
    names = [name for name in os.listdir(root) if is_wanted(os.path.join(root, name))]
    return [os.path.join(root, name) for name in names] if prefix else names


def iterable_to_str(iterable):
    """`'a', 'b'` for messages."""
    return "'" + "', '".join(str(item) for item in iterable) + "'"


def verify_str_arg(value, arg=None, valid_values=None, custom_msg=None):
    """Returns `value` if it is a string among `valid_values`; ValueError otherwise."""
    what = "argument" if arg is None else f"argument {arg}"
    if not isinstance(value, str):
        raise ValueError(f"expected a string for {what}, got {type(value).__name__}")
    if valid_values is not None and value not in valid_values:
        known = iterable_to_str(valid_values)
        raise ValueError(custom_msg or f"unknown value {value!r} for {what}; known are {known}")
    return value
