import type { Cloud } from "#local-cloud/context.ts";
import type { Droplet } from "#local-cloud/host/state.ts";
import { diskInfo, findSize, regionView, sizeView } from "./catalog.ts";
import { iso } from "./http.ts";
import { imageView } from "./images.ts";

/** A droplet as the API shows it. */
export function dropletView(cloud: Cloud, droplet: Droplet) {
  const size = findSize(droplet.size);
  if (size === undefined) throw new Error(`Droplet ${droplet.id} has the unknown size ${droplet.size}.`);
  return {
    id: droplet.id,
    name: droplet.name,
    memory: size.memory,
    vcpus: size.vcpus,
    disk: droplet.disk,
    disk_info: diskInfo(droplet.disk),
    // Stays false during actions: at DigitalOcean it is for locks by their staff.
    locked: false,
    status: droplet.status,
    kernel: null,
    created_at: iso(droplet.createdAt),
    features: droplet.features,
    backup_ids: [],
    next_backup_window: null,
    snapshot_ids: cloud.store.state.images
      .filter((image) => image.dropletId === droplet.id)
      .map((image) => image.id),
    image: imageView(droplet.image),
    volume_ids: [],
    size: sizeView(size),
    size_slug: droplet.size,
    networks: networks(droplet),
    region: regionView(droplet.region),
    tags: droplet.tags,
    vpc_uuid: cloud.store.state.vpcUuid,
  };
}

// Private comes first, as it may at DigitalOcean: whoever takes v4[0] is found out here.
function networks(droplet: Droplet) {
  if (!droplet.addressKnown) return { v4: [], v6: [] };
  const [, , third = "0", fourth = "0"] = droplet.address.split(".");
  return {
    v4: [
      {
        ip_address: `10.77.${third}.${fourth}`,
        netmask: "255.255.0.0",
        gateway: "10.77.0.1",
        type: "private",
      },
      {
        ip_address: droplet.address,
        netmask: "255.255.0.0",
        gateway: droplet.address.replace(/\.\d+\.\d+$/, ".0.1"),
        type: "public",
      },
    ],
    v6: droplet.ipv6
      ? [
          {
            // From the block kept for documentation: nothing listens there.
            ip_address: `2001:db8:77::${Number(third).toString(16)}:${Number(fourth).toString(16)}`,
            netmask: 64,
            gateway: "2001:db8:77::1",
            type: "public",
          },
        ]
      : [],
  };
}
