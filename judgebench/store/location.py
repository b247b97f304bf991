"""Where a store is: URLs and paths in, a path out; and which file systems cannot carry one."""

from __future__ import annotations

import re
from pathlib import Path

from judgebench.errors import ConfigError, StoreError

NETWORK_FILE_SYSTEMS = frozenset(
    (
        *("nfs", "nfs4", "lustre", "gpfs", "beegfs", "beegfs_nodev", "panfs", "ceph", "glusterfs"),
        *("cifs", "smb", "smbfs", "smb2", "smb3", "afs", "ncpfs"),
        *("fuse.sshfs", "fuse.ceph", "fuse.glusterfs", "fuse.beegfs", "fuse.s3fs"),
        *("fuse.gcsfuse", "fuse.rclone", "fuse.juicefs", "fuse.mount-s3"),
    )
)

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z0-9][A-Za-z0-9+.-]*)://")
_ALMOST = re.compile(r"(?P<scheme>[A-Za-z0-9+]+):")
_MOUNTS = Path("/proc/self/mountinfo")


def store_path(url: str) -> Path:
    """The file that a URL or a bare path names.

    Raises
    ------
    ConfigError
        For a URL of anything but an SQLite file. The message names its scheme only, since a
        database URL may hold a password.
    """
    match = _SCHEME.match(url)
    if match is None and (almost := _ALMOST.match(url)):
        raise ConfigError(
            f"a store's URL is written sqlite:///results/judgebench.db, and this one begins with"
            f" {almost['scheme']}: and no three slashes; a file of such a name is written with ./"
            " before it"
        )
    if match is None:
        path = url
    elif match["scheme"] != "sqlite":
        raise ConfigError(
            f"a store cannot be kept at a {match['scheme']}:// URL; give a file, as"
            " sqlite:///results/judgebench.db"
        )
    elif not url.startswith("sqlite:///"):
        raise ConfigError(
            f"{url!r} names no file: after sqlite: come three slashes and a path"
            " (four slashes for an absolute one)"
        )
    else:
        path = url.removeprefix("sqlite:///")
        if "?" in path:
            raise ConfigError(
                f"{url!r}: a store's URL takes no options; leave out '?' and the rest"
            )
    if path in ("", ":memory:") or "\0" in path:
        raise ConfigError(f"{url!r} names no file; give one, as sqlite:///results/judgebench.db")
    return Path(path).expanduser()


def file_system(path: Path, mountinfo: str) -> str | None:
    """The type of the file system that an absolute path lies on.

    Parameters
    ----------
    mountinfo
        The text of ``/proc/self/mountinfo``. Of several mounts on one point the last counts.
    """
    found: tuple[int, str] | None = None
    for line in mountinfo.splitlines():
        mount, separator, source = line.partition(" - ")
        columns = mount.split()
        if not separator or len(columns) < 5 or not source.split():
            continue
        point = Path(_unescaped(columns[4]))
        if path.is_relative_to(point) and (found is None or len(point.parts) >= found[0]):
            found = len(point.parts), source.split()[0]
    return found[1] if found else None


def _unescaped(text: str) -> str:
    r"""The kernel writes blanks in mount points as ``\040`` and the like."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def refuse_network_file_systems(path: Path, mounts: Path = _MOUNTS) -> None:
    """SQLite's write-ahead log corrupts where two hosts do not share memory.

    Only Linux says which file system a path lies on; elsewhere nothing is checked.
    """
    if not mounts.exists():
        return
    kind = file_system(path.resolve(), mounts.read_text("utf-8", "surrogateescape"))
    if kind in NETWORK_FILE_SYSTEMS:
        raise StoreError(
            f"{path} lies on a network file system ({kind}), where SQLite's write-ahead log can"
            " corrupt; put the store on a local disk (--store or JUDGEBENCH_STORE) and copy the"
            " file there when the run is done"
        )
