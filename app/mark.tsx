/** A line that forks and joins: what a spawn is. */
export function Fork({ width = 24 }: { width?: number }) {
  return (
    <svg
      viewBox="0 0 24 16"
      width={width}
      height={(width * 2) / 3}
      className="shrink-0"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      aria-hidden
    >
      <path d="M1 8h4c3 0 3-6 7-6s4 6 7 6h4M5 8c3 0 3 6 7 6s4-6 7-6" />
    </svg>
  );
}

/** The product's name with its sign. */
export function Mark() {
  return (
    <span className="inline-flex items-center gap-2.5 text-step font-semibold">
      <Fork />
      Spawner
    </span>
  );
}
