/**
 * Simulated time: what is to happen, in order. Between two entries everything that can run without waiting does, so
 * that a life depends on nothing but its plan.
 */
export class Timeline {
  /** Ms since the life began. */
  now = 0;
  /** Called when everything that an entry set in motion has come to rest. */
  afterEach = (): void => {};
  private passed = 0;
  private order = 0;
  private readonly heap: Entry[] = [];
  private readonly most: number;

  /** `most`: how many entries may come to pass at all, so that a life that runs in circles ends. */
  constructor(most = Number.POSITIVE_INFINITY) {
    this.most = most;
  }

  get isSpent(): boolean {
    return this.passed >= this.most;
  }

  /** Runs `work` in `ms`; the result takes it back. */
  push(ms: number, work: () => void): () => void {
    const entry: Entry = { at: this.now + Math.max(0, ms), order: this.order, work };
    this.order += 1;
    this.heap.push(entry);
    this.rise(this.heap.length - 1);
    return () => {
      entry.work = undefined;
    };
  }

  /** When the next entry is due; undefined when there is none. */
  get next(): number | undefined {
    while (this.heap[0] !== undefined && this.heap[0].work === undefined) this.pop();
    return this.heap[0]?.at;
  }

  /** Lets time pass until `until`, or until `isOver` says so after an entry. */
  async run(until: number, isOver: () => boolean = () => false): Promise<void> {
    await settled();
    for (let at = this.next; at !== undefined && at <= until; at = this.next) {
      const entry = this.pop();
      this.now = entry.at;
      this.passed += 1;
      entry.work?.();
      await settled();
      this.afterEach();
      if (isOver() || this.isSpent) return;
    }
    this.now = Math.max(this.now, until);
  }

  private pop(): Entry {
    const [first] = this.heap;
    const last = this.heap.pop();
    if (first === undefined || last === undefined) throw new Error("Nothing is left to happen.");
    if (this.heap.length > 0) {
      this.heap[0] = last;
      this.sink();
    }
    return first;
  }

  private rise(from: number): void {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.isBefore(index, parent)) return;
      this.swap(index, parent);
      index = parent;
    }
  }

  private sink(): void {
    let index = 0;
    for (;;) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2])
        if (child < this.heap.length && this.isBefore(child, least)) least = child;
      if (least === index) return;
      this.swap(index, least);
      index = least;
    }
  }

  private isBefore(left: number, right: number): boolean {
    const [a, b] = [this.heap[left], this.heap[right]];
    if (a === undefined || b === undefined) return false;
    return a.at < b.at || (a.at === b.at && a.order < b.order);
  }

  private swap(left: number, right: number): void {
    const [a, b] = [this.heap[left], this.heap[right]];
    if (a === undefined || b === undefined) return;
    this.heap[left] = b;
    this.heap[right] = a;
  }
}

type Entry = { at: number; order: number; work: (() => void) | undefined };

/** Resolves when every promise that can go on has done so: nothing in a life waits for the real world. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
