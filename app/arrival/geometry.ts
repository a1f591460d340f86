import type { Segment } from "#app/progress/segments.ts";

/** How far a point of the line is: behind, where it happens now, or still ahead. */
type Tone = "past" | "now" | "ahead";
export type Dot = { label: string; tone: Tone; x: number; y: number; side: "right" | "above" | "below" };
export type Drawing = { dots: Dot[]; paths: { d: string; tone: Tone }[]; width: number; height: number };

type Mark = { label: string; tone: Tone };
/** The plan in words for visitors: single points, and forks with a lane per branch. */
export type Plan = (Mark | { lanes: Mark[][] })[];

/** What visitors read of a plan; steps without a word of their own are left out. Ends with the opened intranet. */
export function planOf(stretches: readonly Segment[], words: Readonly<Record<string, string>>): Plan {
  const markOf = ({ name, state }: { name: string; state: string }): Mark[] => {
    const label = words[name];
    if (label === undefined) return [];
    const tone =
      state === "done" || state === "skipped"
        ? "past"
        : state === "running" || state === "failed"
          ? "now"
          : "ahead";
    return [{ label, tone }];
  };
  const plan = stretches.flatMap((stretch): Plan => {
    if (!("branches" in stretch)) return markOf(stretch.step);
    const lanes = stretch.branches.map((branch) => branch.flatMap(markOf)).filter((lane) => lane.length > 0);
    return lanes.length > 1 ? [{ lanes }] : lanes.flat();
  });
  return [...plan, { label: "Open", tone: "ahead" }];
}

/** The way to a part of the plan: behind once anything of it has begun. */
function begun(part: Plan[number] | undefined): Tone {
  const marks = part === undefined ? [] : "lanes" in part ? part.lanes.flat() : [part];
  return marks.some((mark) => mark.tone !== "ahead") ? "past" : "ahead";
}

/** From left to right: labels below the line, those of the upper lane above it. */
export function wide(plan: Plan): Drawing {
  const [between, bend, run, lead] = [148, 82, 76, 36];
  const drawing: Drawing = { dots: [], paths: [], width: 0, height: 0 };
  const { dots, paths } = drawing;
  const lanesMost = Math.max(1, ...plan.map((part) => ("lanes" in part ? part.lanes.length : 1)));
  const apart = 96;
  const middle = 40 + ((lanesMost - 1) * apart) / 2;
  let x = 70;
  let end = x;
  plan.forEach((part, index) => {
    const tone = begun(part);
    if (!("lanes" in part)) {
      if (index > 0) paths.push({ d: `M${end} ${middle}H${x}`, tone });
      dots.push({ ...part, x, y: middle, side: "below" });
      end = x;
      x += between;
      return;
    }
    const from = index === 0 ? x - between / 2 : end;
    const longest = Math.max(...part.lanes.map((lane) => lane.length));
    const start = from + lead;
    const far = start + 2 * bend + 2 * run + (longest - 1) * between;
    part.lanes.forEach((lane, row) => {
      const y = middle + (row - (part.lanes.length - 1) / 2) * apart;
      const [first, last] = [start + bend, far - bend];
      const half = bend / 2;
      paths.push({
        d: `M${from} ${middle}H${start}C${start + half} ${middle} ${first - half} ${y} ${first} ${y}`,
        tone: begun(lane[0]),
      });
      const step = (last - first) / lane.length;
      lane.forEach((mark, place) => {
        const at = first + step * (place + 0.5);
        const before = place === 0 ? first : at - step;
        paths.push({ d: `M${before} ${y}H${at}`, tone: mark.tone });
        dots.push({ ...mark, x: at, y, side: row === 0 ? "above" : "below" });
      });
      const next = begun(plan[index + 1]);
      paths.push({
        d: `M${last - step / 2} ${y}H${last}C${last + half} ${y} ${far - half} ${middle} ${far} ${middle}`,
        tone: next,
      });
    });
    end = far;
    x = far + lead + 8;
  });
  return sorted({ ...drawing, width: end + 70, height: 2 * middle + 24 });
}

/** From top to bottom, for a phone: labels beside the line, those of a fork below their points. */
export function tall(plan: Plan): Drawing {
  const [between, bend, text, apart, width] = [64, 70, 52, 150, 358];
  const middle = width / 2;
  const drawing: Drawing = { dots: [], paths: [], width, height: 0 };
  const { dots, paths } = drawing;
  let y = 20;
  let end = y;
  plan.forEach((part, index) => {
    if (!("lanes" in part)) {
      if (index > 0) paths.push({ d: `M${middle} ${end}V${y}`, tone: begun(part) });
      dots.push({ ...part, x: middle, y, side: "right" });
      end = y;
      y += between;
      return;
    }
    const from = index === 0 ? y : end;
    const longest = Math.max(...part.lanes.map((lane) => lane.length));
    const first = from + 24 + bend;
    const last = first + (longest - 1) * (between + 30);
    const far = last + text + 16 + bend;
    part.lanes.forEach((lane, row) => {
      const x = middle + (row - (part.lanes.length - 1) / 2) * apart;
      const half = bend / 2;
      paths.push({
        d: `M${middle} ${from}V${from + 16}C${middle} ${from + 16 + half} ${x} ${first - 8 - half} ${x} ${first - 8}V${first}`,
        tone: begun(lane[0]),
      });
      let below = first;
      lane.forEach((mark, place) => {
        const at = first + place * (between + 30);
        if (place > 0) paths.push({ d: `M${x} ${below + text}V${at}`, tone: mark.tone });
        dots.push({ ...mark, x, y: at, side: "below" });
        below = at;
      });
      const next = begun(plan[index + 1]);
      paths.push({
        d: `M${x} ${below + text + 8}V${last + text + 12}C${x} ${last + text + 12 + half} ${middle} ${far - half} ${middle} ${far}`,
        tone: next,
      });
    });
    end = far;
    y = far + 24;
  });
  return sorted({ ...drawing, height: end + 32 });
}

/** What happens is drawn over what has happened, and that over what is ahead. */
function sorted(drawing: Drawing): Drawing {
  const order: Tone[] = ["ahead", "past", "now"];
  return {
    ...drawing,
    paths: drawing.paths.toSorted((a, b) => order.indexOf(a.tone) - order.indexOf(b.tone)),
  };
}
