import { html } from "hono/html";
import type { Cloud } from "#local-cloud/context.ts";
import { iso } from "./http.ts";
import { type Html, pageHtml } from "./pages.ts";
import { fullName } from "./records.ts";

/** `GET /`: what exists here, and how to use it. */
export function frontPage(cloud: Cloud): Html {
  const { state } = cloud.store;
  const droplets = state.droplets.filter((droplet) => droplet.deletedAt === null);
  const records = state.domains.flatMap((domain) =>
    domain.records.map((record) => ({ ...record, name: fullName(record, domain.name) })),
  );
  const count = (number: number, one: string) => `${number} ${one}${number === 1 ? "" : "s"}`;
  const body = html`
    <h1>Local cloud</h1>
    <p class="lead">${count(droplets.length, "droplet")}, ${count(records.length, "DNS record")},
      ${count(state.images.length, "snapshot")}, ${count(state.keys.length, "SSH key")}. Nothing here costs anything.</p>
    <p>DigitalOcean's API answers at <code>${cloud.apiUrl}/v2</code>. It accepts the bearer token
      <code>LOCAL_CLOUD_TOKEN</code> only, which the Spawner keeps in <code>local-cloud.token</code> in its data folder. Sites answer on port ${cloud.edgePort}, as their DNS records say.</p>
    ${table(
      "Droplets",
      ["Name", "Status", "Address", "Size", "Tags", "Created"],
      droplets.map((droplet) => [
        html`${droplet.name} <span class="quiet">${droplet.id}</span>`,
        html`<span class="${droplet.status === "active" ? "ok" : "quiet"}">${droplet.status}</span>`,
        html`<code>${droplet.addressKnown ? droplet.address : "not yet"}</code>`,
        html`${droplet.size}`,
        html`${droplet.tags.join(", ")}`,
        html`${iso(droplet.createdAt)}`,
      ]),
    )}
    ${table(
      "DNS records",
      ["Name", "Type", "Data", "TTL"],
      records.map((record) => [
        record.type === "A"
          ? html`<a href="http://${record.name}:${cloud.edgePort}/">${record.name}</a>`
          : html`${record.name}`,
        html`${record.type}`,
        html`<code>${record.data}</code>`,
        html`${record.ttl}`,
      ]),
    )}
    ${table(
      "Snapshots",
      ["Name", "Droplet", "Size", "Created"],
      state.images.map((image) => [
        html`${image.name} <span class="quiet">${image.id}</span>`,
        html`${image.dropletId}`,
        html`${image.sizeGigabytes} GB`,
        html`${iso(image.createdAt)}`,
      ]),
    )}
    ${table(
      "SSH keys",
      ["Name", "Fingerprint"],
      state.keys.map((key) => [html`${key.name}`, html`<code>${key.fingerprint}</code>`]),
    )}`;
  return pageHtml({ title: "Local cloud", body });
}

function table(title: string, columns: string[], rows: Html[][]): Html {
  if (rows.length === 0) return html`<h2>${title}</h2><p>None yet.</p>`;
  return html`<h2>${title}</h2>
    <div class="table"><table>
      <thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody>
    </table></div>`;
}
