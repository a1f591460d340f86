import type { Templates } from "#server/mail/sender.ts";

const load = async (): Promise<Templates> => (await import("./render.tsx")).templates;

/** The mails as people get them. What renders them takes long to load, so that it waits for the first mail. */
export const templates: Templates = {
  ready: async (mail) => (await load()).ready(mail),
  failed: async (mail) => (await load()).failed(mail),
  stale: async (mail) => (await load()).stale(mail),
  orphan: async (mail) => (await load()).orphan(mail),
};
