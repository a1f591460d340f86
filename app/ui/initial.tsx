/** A person's first letter in a circle; beside their name it says nothing more. */
export function Initial({ name, className = "" }: { name: string; className?: string }) {
  return (
    <span
      aria-hidden
      className={`grid size-6 shrink-0 place-items-center rounded-full bg-ink text-xs font-medium text-on-ink ${className}`}
    >
      {name.slice(0, 1).toUpperCase()}
    </span>
  );
}
