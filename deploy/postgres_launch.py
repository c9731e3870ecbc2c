"""Become the one who may run PostgreSQL, tie its life to the supervisor's, and turn into the given program.

Run as `python -I -S postgres_launch.py PARENT AS UID GID PROGRAM...` where AS is

    self        the present user
    namespace   root stays root outside, and is UID inside a user namespace (PostgreSQL refuses to be root)
    user        give root up for UID and GID

A program of its own, and not a function between fork and exec, because the supervisor has threads. Standard
library only. Linux tells the child of its parent's death; elsewhere this process stays and watches.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

LINUX = sys.platform.startswith("linux")
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
WATCH_SECONDS = 0.25


def write(path: str, text: str) -> None:
    file = os.open(path, os.O_WRONLY)
    os.write(file, text.encode())
    os.close(file)


def become(who: str, uid: int, gid: int) -> None:
    if who == "namespace":
        outer_uid, outer_gid = os.geteuid(), os.getegid()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWUSER) != 0:
            raise OSError(ctypes.get_errno(), "no user namespace")
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{uid} {outer_uid} 1")
        write("/proc/self/gid_map", f"{gid} {outer_gid} 1")
    elif who == "user":
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def die_with(parent: int) -> None:
    """Ask for a fast shutdown when the parent is gone. After `become`, for a change of user forgets it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no death signal")
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)


def watch(parent: int, program: list[str]) -> int:
    """Run the program as a child and pass on what happens to either side."""
    child = os.fork()
    if child == 0:
        os.execv(program[0], program)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: os.kill(child, received))
    told = False
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) & 0xFF
        if os.getppid() != parent and not told:
            told = True
            os.kill(child, signal.SIGINT)
        time.sleep(WATCH_SECONDS)


def main(arguments: list[str]) -> int:
    parent, who, uid, gid, *program = arguments
    become(who, int(uid), int(gid))
    if not LINUX:
        return watch(int(parent), program)
    die_with(int(parent))
    return os.execv(program[0], program)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
