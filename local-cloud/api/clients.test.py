"""A whole life through python-digitalocean, unchanged: key, droplet, actions, snapshot, domain, record, delete."""
import os
import sys
import time

import digitalocean

# The library reads its end point from DIGITALOCEAN_END_POINT: every object it makes talks to that one.
PUBLIC_KEY = sys.argv[1]
to = {"token": os.environ["DIGITALOCEAN_ACCESS_TOKEN"]}


def until(what, question):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        answer = question()
        if answer:
            return answer
        time.sleep(0.1)
    raise TimeoutError(what)


def ended(droplet):
    until("no action runs", lambda: all(a.status == "completed" for a in droplet.get_actions()))


manager = digitalocean.Manager(**to)
assert manager.get_account().status == "active"
assert any(size.slug == "s-1vcpu-1gb" for size in manager.get_all_sizes())
assert any(region.slug == "fra1" for region in manager.get_all_regions())
assert any(image.slug == "debian-13-x64" for image in manager.get_distro_images())

key = digitalocean.SSHKey(name="python", public_key=PUBLIC_KEY, **to)
key.create()
assert key.load_by_pub_key(PUBLIC_KEY).fingerprint == key.fingerprint

droplet = digitalocean.Droplet(
    name="python-life",
    region="fra1",
    image="debian-13-x64",
    size_slug="s-1vcpu-1gb",
    ssh_keys=[key],
    tags=["python"],
    **to,
)
droplet.create()
assert droplet.id and droplet.action_ids


def has_address():
    droplet.load()
    return droplet.status == "active" and droplet.ip_address


until("active with an address", has_address)
ended(droplet)
assert droplet.ip_address.startswith("127.")
assert [d.id for d in manager.get_all_droplets(tag_name="python")] == [droplet.id]

droplet.power_off()
ended(droplet)
assert droplet.load().status == "off"
droplet.take_snapshot("python-snapshot")
ended(droplet)
[image] = droplet.load().get_snapshots()
[snapshot] = manager.get_droplet_snapshots()
assert snapshot.name == "python-snapshot"
assert snapshot.id == str(image.id)
droplet.power_on()
ended(droplet)

copy = digitalocean.Droplet(
    name="python-copy", region="fra1", image=snapshot.id, size_slug="s-1vcpu-1gb", ssh_keys=[key.id], **to
)
copy.create()
ended(copy)
copy.rename("python-renamed")
ended(copy)
assert copy.load().name == "python-renamed"

tag = digitalocean.Tag(name="green", **to)
tag.create()
tag.add_droplets([str(copy.id)])
assert copy.load().tags == ["green"]

domain = digitalocean.Domain(name="python.localhost", ip_address=droplet.ip_address, **to)
domain.create()
domain.create_new_domain_record(type="A", name="www", data=droplet.ip_address)
record = next(r for r in domain.get_records() if r.name == "www")
record.data = "127.0.0.9"
record.save()
assert next(r for r in domain.get_records() if r.name == "www").data == "127.0.0.9"
record.destroy()
assert not [r for r in domain.get_records() if r.name == "www"]
domain.destroy()

for one in (droplet, copy):
    one.destroy()
    try:
        manager.get_droplet(one.id)
        raise AssertionError("a destroyed droplet is still there")
    except digitalocean.NotFoundError:
        pass
snapshot.destroy()
tag.delete()
key.destroy()
assert manager.get_all_sshkeys() == []
print("a whole life")
