import { Notice } from "#app/ui/notice.tsx";

const labels: Record<string, string> = {
  company: "Company",
  contactName: "Contact name",
  contactEmail: "Contact email",
  slug: "Slug",
  domain: "Domain",
  region: "Region",
  size: "Size",
  version: "Version",
  variables: "Variables",
};

function labelOf(path: string): string {
  const row = path.match(/^variables\.(\d+)/)?.[1];
  return row === undefined ? (labels[path] ?? path) : `Variable ${Number(row) + 1}`;
}

/** What is to be put right, each with a way to it. */
export function ErrorSummary({ problems }: { problems: Record<string, string> }) {
  const paths = Object.keys(problems);
  if (paths.length === 0) return null;
  return (
    <div className="mt-4">
      <Notice tone="bad" alert>
        <strong className="font-semibold">
          {paths.length === 1 ? "1 field to fix." : `${paths.length} fields to fix.`}
        </strong>{" "}
        <span className="text-ink-2">Nothing was purchased, and your input is still here: </span>
        {paths.map((path, index) => (
          <span key={path}>
            {index > 0 && ", "}
            <a href={`#${path}`} className="text-ink underline underline-offset-2">
              {labelOf(path)}
            </a>
          </span>
        ))}
      </Notice>
    </div>
  );
}
