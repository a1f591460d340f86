#!/usr/bin/env python3
"""Packs, unpacks and swaps an intranet's data on its droplet. Nothing but Python's own library.

  dump    writes ~/backups/NAME.tar.gz and NAME.json: size and SHA-256 of the archive, and of what is in it
  unpack  unpacks ~/backups/NAME.tar.gz beside the data and compares it with the manifest's checksum
  swap    puts what was unpacked in the data's place; the data from before is kept
  back    puts the data that was kept back
  remove  removes ~/backups/NAME.*

A root is name=path: the folder `path` is the archive's folder `name`.

The rules. Each command may die at any point and be run again; none of them loses the only copy of anything.

1.  A NAME is a backup's id. What lies under a name:
      ~/backups/NAME.tar.gz   the archive; complete if NAME.json is there, which is written after it
      PATH.before-NAME        the data that was replaced. NAME is the backup of exactly this data: whoever swaps has
                              stopped the app before the dump of NAME, and starts it after the swap at the earliest
2.  Drafts bear no name and hold nothing that is not elsewhere: ~/backups/*.new, PATH.new (unpacked, not in place
    yet) and PATH.gone (replaced by `back`, half removed). Whoever writes a draft removes the one before; `dump`
    removes all of them when it begins, and its own when it fails.
3.  `dump` removes what it is told to, and nothing else: PATH.before-NAME for each --tidy-kept NAME (the Spawner names
    verified backups of earlier operations), ~/backups/NAME.* for each --tidy-archive NAME. Names match as a whole.
4.  `dump` fails when a root is missing, so that no empty backup is called good. With --missing-is-empty a missing root
    counts as empty: after a `swap` that died between its two renames.
5.  `unpack` touches no data. It does nothing when all roots are swapped already (rule 6).
6.  `swap` decides for each root by what is there:
      PATH.before-NAME and PATH      swapped already: PATH stays, PATH.new goes
      PATH.before-NAME, no PATH      died between the renames: PATH.new becomes PATH
      PATH, no PATH.before-NAME      PATH becomes PATH.before-NAME, then PATH.new becomes PATH
      neither                        an empty PATH.before-NAME is made, then PATH.new becomes PATH
    It fails before it changes anything when a root that is not swapped has no PATH.new.
    So a second swap under the same name never replaces what was written since the first.
7.  `back` takes names, newest first, and for each name and root with a PATH.before-NAME: PATH becomes PATH.gone,
    PATH.before-NAME becomes PATH, PATH.gone is removed. After the last name PATH is the oldest that was kept. What is
    replaced is lost: whoever calls it has dumped it first. PATH.new goes. Without anything kept it changes nothing.
"""

import argparse
import errno
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


def sync_folder(path):
    """So that the names in it survive a power cut."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove_file(path):
    try:
        os.remove(path)
    except FileNotFoundError:
        pass


def remove_folder(path):
    if os.path.isdir(path):
        shutil.rmtree(path)


def kept(path, name):
    return f"{path}.before-{name}"


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
    remove(options)
    try:
        write_dump(options)
    except BaseException:
        remove_drafts(options)
        raise


def write_dump(options):
    target = os.path.join(BACKUPS, f"{options.id}.tar.gz")
    entries, total = [], 0
    with tarfile.open(f"{target}.new", "w:gz", compresslevel=6) as archive:
        for name, path in options.root:
            if not os.path.isdir(path):
                if options.missing_is_empty:
                    continue
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
    description = os.path.join(BACKUPS, f"{options.id}.json")
    with open(f"{description}.new", "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.rename(f"{description}.new", description)
    sync_folder(BACKUPS)
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


def remove_drafts(options):
    for name in os.listdir(BACKUPS):
        if name.endswith(".new"):
            remove_file(os.path.join(BACKUPS, name))
    for _, path in options.root:
        remove_folder(f"{path}.new")
        remove_folder(f"{path}.gone")


def tidy(options):
    """Removes drafts, and the names that are known to be superfluous (rules 2 and 3)."""
    remove_drafts(options)
    for name in options.tidy_archive:
        remove_archive(name)
    for _, path in options.root:
        for name in options.tidy_kept:
            remove_folder(kept(path, name))


def is_swapped(path, name):
    return os.path.isdir(kept(path, name)) and os.path.isdir(path)


def unpack(options):
    if all(is_swapped(path, options.before) for _, path in options.root):
        print("The backup's data is in its place already")
        return
    try:
        write_unpacked(options)
    except BaseException:
        for _, path in options.root:
            remove_folder(f"{path}.new")
        raise


def write_unpacked(options):
    source = os.path.join(BACKUPS, f"{options.id}.tar.gz")
    roots = dict(options.root)
    for path in roots.values():
        remove_folder(f"{path}.new")
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
    # It is about to be the only data in use: it must not be in memory alone.
    os.sync()
    print(f"{len(entries)} files, all as they were backed up")


def swap(options):
    open_roots = [path for _, path in options.root if not is_swapped(path, options.before)]
    for path in open_roots:
        if not os.path.isdir(f"{path}.new"):
            raise SystemExit(f"Nothing was unpacked for {path}: its data stays as it is.")
    for path in open_roots:
        before = kept(path, options.before)
        if os.path.isdir(path):
            os.rename(path, before)
        else:
            os.makedirs(before, mode=0o700, exist_ok=True)
        os.rename(f"{path}.new", path)
        sync_folder(os.path.dirname(path))
    for _, path in options.root:
        remove_folder(f"{path}.new")


def back(options):
    for name in options.back:
        for _, path in options.root:
            if os.path.isdir(kept(path, name)):
                put_back(path, name)
                print(f"{path} is as it was before {name}")
    for _, path in options.root:
        remove_folder(f"{path}.new")
        remove_folder(f"{path}.gone")


def put_back(path, name):
    remove_folder(f"{path}.gone")
    if os.path.isdir(path):
        os.rename(path, f"{path}.gone")
    os.rename(kept(path, name), path)
    sync_folder(os.path.dirname(path))
    remove_folder(f"{path}.gone")


def remove(options):
    remove_archive(options.id)


def remove_archive(name):
    # The manifest first: an archive without one is not complete.
    for ending in ("json", "json.new", "tar.gz", "tar.gz.new"):
        remove_file(os.path.join(BACKUPS, f"{name}.{ending}"))


def main():
    commands = {"dump": dump, "unpack": unpack, "swap": swap, "back": back, "remove": remove}
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=list(commands))
    parser.add_argument("--id", default="")
    parser.add_argument("--version", default="")
    parser.add_argument("--tree", default="")
    parser.add_argument("--before", default="")
    parser.add_argument("--back", action="append", default=[])
    parser.add_argument("--root", type=root, action="append", default=[])
    parser.add_argument("--count", action="append", default=[])
    parser.add_argument("--tidy-kept", action="append", default=[])
    parser.add_argument("--tidy-archive", action="append", default=[])
    parser.add_argument("--missing-is-empty", action="store_true")
    options = parser.parse_args()
    try:
        commands[options.command](options)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise SystemExit("No space left on device: the data stays as it is.") from error


if __name__ == "__main__":
    main()
    sys.stdout.flush()
