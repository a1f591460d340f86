"use client";
import { useEffect, useState } from "react";
import type { InstanceRow } from "#server/api/views.ts";

/** The present in ms, moving on every `everyMs`; stands still while `frozen`. */
export function useNow(everyMs: number, frozen = false): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (frozen) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, frozen]);
  return now;
}

/** A length of time: `1.8 s`, `34 s`, `1 m 40 s`, `2 h 5 m`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${(Math.floor(seconds * 10) / 10).toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
}

/** How long something usually takes: tenths of a second are of no use to plan with. */
export const usualDuration = (ms: number): string => (ms < 1000 ? "under 1 s" : duration(ms));

/** The large clock: `1:25`, `1:02:09`. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (number: number) => String(number).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}:${two(seconds % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** How long ago: relative under a week, then the day. */
export function age(at: number, now: number): string {
  const seconds = Math.max(0, Math.floor((now - at) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  const days = Math.floor(seconds / 86_400);
  return days < 7 ? (days === 1 ? "yesterday" : `${days} days ago`) : day(at);
}

export const day = (at: number): string =>
  new Date(at).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
/** "12:00 today", "Yesterday, 16:20", "Mon 9 Nov, 18:47"; above half a year the day alone. */
export function when(at: number, now: number): string {
  const date = new Date(at);
  const time = date.toLocaleTimeString("en-GB", { timeStyle: "short" });
  if (day(at) === day(now)) return `${time} today`;
  if (day(at) === day(now - 86_400_000)) return `Yesterday, ${time}`;
  if (now - at > 180 * 86_400_000) return day(at);
  const weekday = date.toLocaleDateString("en-GB", { weekday: "short" });
  return `${weekday} ${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })}, ${time}`;
}
export const exact = (at: number): string =>
  new Date(at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** `$12.00`. */
export const money = (cents: number): string => `$${(cents / 100).toFixed(2)}`;

/** What an instance costs a month now: nothing before its droplet is bought, and once that is gone. */
export const monthlyCents = (row: Pick<InstanceRow, "dropletId" | "dropletGoneAt" | "priceMonthlyCents">) =>
  row.dropletId === null || row.dropletGoneAt !== null ? 0 : row.priceMonthlyCents;

/** What DigitalOcean asks for a snapshot: 6 cents a month for each GB. */
export const snapshotCents = (sizeGb: number): number => Math.round(sizeGb * 6);

/** `about $0.30`; of a small snapshot, which costs less than a cent, `less than $0.01`. */
export const roughly = (cents: number): string => (cents < 1 ? "less than $0.01" : `about ${money(cents)}`);

/** `1.2 GB`, `340 kB`. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = count;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}

/** `1 post`, `12 posts`: of what is named in the plural, as a backup's manifest does. */
export const counted = (count: number, plural: string): string =>
  `${count} ${count === 1 ? plural.replace(/s$/, "") : plural}`;
