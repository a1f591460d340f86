#!/usr/bin/env python3
"""Packs, unpacks and swaps an intranet's data on its droplet. Nothing but Python's own library.

  dump    writes ~/backups/<id>.tar.gz and <id>.json: size and SHA-256 of the archive, and of what is in it
  unpack  unpacks ~/backups/<id>.tar.gz beside the data and compares it with the manifest's checksum
  swap    puts what was unpacked in the data's place; the data from before is kept as <path>.before-<name>
  back    puts the data from before back, if there is any
  remove  removes ~/backups/<id>.*

A root is name=path: the folder `path` is the archive's folder `name`. Everything may be run again after a crash.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import tarfile
import time

BACKUPS = os.path.join(os.path.expanduser("~"), "backups")
TRIES = 5


def root(text):
    name, _, path = text.partition("=")
    if not name or "/" in name or not path.startswith("/"):
        raise argparse.ArgumentTypeError(f"{text!r} is not name=/absolute/path")
    return name, path


def files_below(folder):
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(parent, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield os.path.relpath(path, folder), path


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def tree_of(entries):
    """One checksum for all files: their names, sizes and contents, in order."""
    lines = sorted(f"{name}\0{size}\0{digest}\n" for name, size, digest in entries)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def add_file(archive, name, path):
    """Adds a file as it was at one moment: one that changes while it is looked at is looked at again."""
    for attempt in range(TRIES):
        before = os.stat(path)
        content = sha256_of(path)
        after = os.stat(path)
        if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size):
            break
        time.sleep(0.2 * (attempt + 1))
    else:
        raise SystemExit(f"{name} changes all the time and cannot be dumped. Try again later.")
    digest = hashlib.sha256()
    with open(path, "rb") as file:

        class Watched:
            def read(self, size=-1):
                block = file.read(size)
                digest.update(block)
                return block

        head = archive.gettarinfo(arcname=name, fileobj=file)
        archive.addfile(head, Watched())
    if digest.hexdigest() != content:
        raise SystemExit(f"{name} changed while it was packed. Try again.")
    return head.size, content


def dump(options):
    os.makedirs(BACKUPS, mode=0o700, exist_ok=True)
    tidy(options)
    target = os.path.join(BACKUPS, f"{options.id}.tar.gz")
    entries, total = [], 0
    with tarfile.open(f"{target}.new", "w:gz", compresslevel=6) as archive:
        for name, path in options.root:
            if not os.path.isdir(path):
                raise SystemExit(f"{path} is not there: there is no data to back up.")
            for relative, file in files_below(path):
                inside = f"{name}/{relative}"
                size, digest = add_file(archive, inside, file)
                entries.append((inside, size, digest))
                total += size
    os.chmod(f"{target}.new", 0o600)
    with open(f"{target}.new", "rb+") as file:
        os.fsync(file.fileno())
    os.rename(f"{target}.new", target)
    manifest = {
        "id": options.id,
        "version": options.version,
        "takenAt": int(time.time() * 1000),
        "archive": {"bytes": os.path.getsize(target), "sha256": sha256_of(target)},
        "contents": {
            "files": len(entries),
            "bytes": total,
            "tree": tree_of(entries),
            "counts": counts_of(options, dict(options.root)),
        },
    }
    with open(os.path.join(BACKUPS, f"{options.id}.json"), "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
    print(f"{len(entries)} files, {total} bytes, packed into {manifest['archive']['bytes']} bytes")


def counts_of(options, roots):
    """How many things a JSON list in the data holds, for people to read."""
    counts = {}
    for text in options.count:
        label, _, where = text.partition("=")
        name, _, relative = where.partition("/")
        path = os.path.join(roots.get(name, "/nowhere"), relative)
        try:
            with open(path, encoding="utf-8") as file:
                content = json.load(file)
        except (FileNotFoundError, ValueError):
            content = []
        counts[label] = len(content) if isinstance(content, list) else 0
    return counts


def tidy(options):
    """Earlier dumps and data from before earlier restores are not needed any more."""
    for name in os.listdir(BACKUPS):
        if not name.startswith(options.id):
            os.remove(os.path.join(BACKUPS, name))
    for _, path in options.root:
        parent, base = os.path.split(path)
        for name in os.listdir(parent):
            if name.startswith(f"{base}.before-"):
                shutil.rmtree(os.path.join(parent, name))


def unpack(options):
    source = os.path.join(BACKUPS, f"{options.id}.tar.gz")
    roots = dict(options.root)
    for path in roots.values():
        shutil.rmtree(f"{path}.new", ignore_errors=True)
        os.makedirs(f"{path}.new", mode=0o700)
    entries = []
    with tarfile.open(source, "r|gz") as archive:
        for member in archive:
            name, _, relative = member.name.partition("/")
            parts = relative.split("/")
            if not member.isfile():
                continue
            if name not in roots or ".." in parts or "" in parts:
                raise SystemExit(f"The archive holds {member.name!r}, which does not belong there.")
            target = os.path.join(f"{roots[name]}.new", *parts)
            os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
            digest = hashlib.sha256()
            with archive.extractfile(member) as content, open(target, "wb") as file:
                for block in iter(lambda: content.read(1 << 20), b""):
                    digest.update(block)
                    file.write(block)
                os.fchmod(file.fileno(), member.mode & 0o777)
            entries.append((member.name, member.size, digest.hexdigest()))
    if tree_of(entries) != options.tree:
        raise SystemExit("What was unpacked is not what was backed up: the checksums differ.")
    print(f"{len(entries)} files, all as they were backed up")


def swap(options):
    for _, path in options.root:
        before = f"{path}.before-{options.before}"
        if not os.path.isdir(f"{path}.new"):
            continue
        if os.path.isdir(before):
            # A try before this one has kept it already: what lies in its place is a backup's.
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.isdir(path):
            os.rename(path, before)
        os.rename(f"{path}.new", path)


def back(options):
    for _, path in options.root:
        before = f"{path}.before-{options.before}"
        shutil.rmtree(f"{path}.new", ignore_errors=True)
        if os.path.isdir(before):
            shutil.rmtree(path, ignore_errors=True)
            os.rename(before, path)
            print(f"{path} is as it was before")


def remove(options):
    for ending in ("tar.gz", "json", "tar.gz.new"):
        try:
            os.remove(os.path.join(BACKUPS, f"{options.id}.{ending}"))
        except FileNotFoundError:
            pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["dump", "unpack", "swap", "back", "remove"])
    parser.add_argument("--id", default="")
    parser.add_argument("--version", default="")
    parser.add_argument("--tree", default="")
    parser.add_argument("--before", default="")
    parser.add_argument("--root", type=root, action="append", default=[])
    parser.add_argument("--count", action="append", default=[])
    options = parser.parse_args()
    {"dump": dump, "unpack": unpack, "swap": swap, "back": back, "remove": remove}[options.command](options)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
