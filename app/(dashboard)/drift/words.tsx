import { Camera, Globe, KeyRound, type LucideIcon, Server } from "lucide-react";
import { age, day, money, roughly } from "#app/time.ts";
import type { DriftAction, DriftView, Finding } from "#server/api/views.ts";

type Group = "orphaned" | "missing" | "changed";
export const groups: readonly { key: Group; title: string; lead: string }[] = [
  { key: "orphaned", title: "Orphaned", lead: "At DigitalOcean, but not in our records" },
  { key: "missing", title: "Missing", lead: "In our records, but not at DigitalOcean" },
  { key: "changed", title: "Changed", lead: "Different from our records" },
];

/** What a finding is about: every type has an icon, a noun and a group, so that a new one does not compile without. */
const about: Record<Finding["type"], { group: Group; icon: LucideIcon; noun: string }> = {
  "orphaned-droplet": { group: "orphaned", icon: Server, noun: "Droplet" },
  "orphaned-snapshot": { group: "orphaned", icon: Camera, noun: "Snapshot" },
  "orphaned-record": { group: "orphaned", icon: Globe, noun: "DNS record" },
  "missing-droplet": { group: "missing", icon: Server, noun: "Droplet" },
  "missing-snapshot": { group: "missing", icon: Camera, noun: "Snapshot" },
  "missing-record": { group: "missing", icon: Globe, noun: "DNS record" },
  "missing-domain": { group: "missing", icon: Globe, noun: "Domain" },
  "missing-ssh-key": { group: "missing", icon: KeyRound, noun: "SSH key" },
  "changed-address": { group: "changed", icon: Server, noun: "Droplet address" },
  "changed-size": { group: "changed", icon: Server, noun: "Droplet size" },
  "changed-tags": { group: "changed", icon: Server, noun: "Droplet tags" },
  "changed-record": { group: "changed", icon: Globe, noun: "DNS record" },
};
export const aboutOf = ({ type }: Finding) => about[type];

/** What it is called at DigitalOcean, or which instance it belongs to. */
export function nameOf({ finding, instance }: DriftView): string {
  switch (finding.type) {
    case "orphaned-droplet":
    case "orphaned-snapshot":
    case "missing-snapshot":
    case "missing-ssh-key":
      return finding.name;
    case "orphaned-record":
    case "missing-record":
    case "changed-record":
      return `${finding.name}.${finding.domain}`;
    case "missing-domain":
      return finding.domain;
    case "missing-droplet":
    case "changed-address":
    case "changed-size":
    case "changed-tags":
      return instance.company;
  }
}

/** As it stands within a sentence. */
export const inSentence = (noun: string): string =>
  /^[A-Z][a-z]/.test(noun) ? noun.charAt(0).toLowerCase() + noun.slice(1) : noun;

/** What is wrong, in a sentence or two. */
export function sentenceFor({ finding, instance }: DriftView, now: number): string {
  const { company, status, canBeBroughtBack } = instance;
  switch (finding.type) {
    case "orphaned-droplet":
      return finding.isAdoptable
        ? `${company} ${status === "destroyed" ? "is destroyed" : "has no droplet in our records"}, but its droplet still exists.`
        : `Created ${age(finding.createdAt, now)} for ${company}. No instance uses it.`;
    case "orphaned-snapshot":
      return finding.isAdoptable
        ? `Final snapshot of ${company}, taken ${age(finding.createdAt, now)}. It's the only one to bring it back from.`
        : `Final snapshot of ${company}, taken ${age(finding.createdAt, now)}. Nothing uses it.`;
    case "orphaned-record":
      return `Points to ${finding.address}. ${company} no longer uses it.`;
    case "missing-droplet":
      return `Droplet ${finding.dropletId} was deleted at DigitalOcean. ${canBeBroughtBack ? `Destroy ${company}, then bring it back.` : `Destroy ${company}: it has no snapshot and no good backup to bring it back from.`}`;
    case "missing-snapshot":
      return `Deleted at DigitalOcean. ${company} can’t be brought back from it.`;
    case "missing-record":
      return `${company} can’t be reached at this address.`;
    case "missing-domain":
      return "This DigitalOcean account doesn’t have the domain, so its instances can’t be reached.";
    case "missing-ssh-key":
      return "Deleted at DigitalOcean. New droplets can’t be set up without it.";
    case "changed-address":
      return `${finding.actual} at DigitalOcean, ${finding.recorded ?? "none"} in our records.`;
    case "changed-size":
      return `${finding.actual} at DigitalOcean (${money(finding.actualPrice)} a month), ${finding.recorded} in our records (${money(finding.recordedPrice)}).`;
    case "changed-tags":
      return `${finding.missing.length === 1 ? "1 tag was" : `${finding.missing.length} tags were`} removed: ${finding.missing.join(", ")}.`;
    case "changed-record":
      return finding.isOurs
        ? `Points to ${finding.actual} instead of ${finding.address}.`
        : `Points to ${finding.actual} instead of ${finding.address}. The Spawner didn’t create this record: change it at DigitalOcean.`;
  }
}

export const actionWords: Record<DriftAction, { verb: string; underWay: string; danger: boolean }> = {
  adopt: { verb: "Adopt", underWay: "Adopting", danger: false },
  repair: { verb: "Repair", underWay: "Repairing", danger: false },
  delete: { verb: "Delete", underWay: "Deleting", danger: true },
};

/** What pressing the button will do, before it is done. */
export function consequence({ finding, instance, monthlyCents }: DriftView, action: DriftAction): string {
  const { company } = instance;
  const saves = monthlyCents > 0 ? ` This saves ${money(monthlyCents)} a month.` : "";
  switch (finding.type) {
    case "orphaned-droplet":
      return action === "adopt"
        ? `${company} continues on this droplet for ${money(monthlyCents)} a month: it’s switched on, provisioned with Ansible and gets its DNS record.`
        : `Everything on it is lost, and no snapshot is taken.${saves}`;
    case "orphaned-snapshot":
      return action === "adopt"
        ? `${company} can then be brought back from it, as it was on ${day(finding.createdAt)}. It keeps costing ${roughly(monthlyCents)} a month.`
        : `${company} can’t be brought back from it any more.${saves}`;
    case "orphaned-record":
      return `Visitors no longer reach ${finding.address} under this name.`;
    case "changed-record":
    case "missing-record":
      return `It will point to ${company} again.`;
    case "missing-domain":
      return "The domain is added to this DigitalOcean account again. Records of other instances in it show up here after the next check.";
    case "missing-snapshot":
      return "It’s removed from our records. Bring back uses the newest snapshot that’s left.";
    case "missing-ssh-key":
      return "The key is added to this DigitalOcean account again.";
    case "changed-address":
      return `Our records change to ${finding.actual}, and the DNS records of ${company} point to it. The droplet itself isn’t changed.`;
    case "changed-size":
      return `Our records change to ${finding.actual} at ${money(finding.actualPrice)} a month. The droplet itself isn’t changed.`;
    case "changed-tags":
      return "The droplet gets its tags back. Nothing else changes.";
    case "missing-droplet":
      return "";
  }
}
