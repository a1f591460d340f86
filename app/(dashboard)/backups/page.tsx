import { Empty } from "../../ui/notice.tsx";
import { Page } from "../../ui/pageFrame.tsx";

export default function BackupsPage() {
  return (
    <Page title="Backups">
      <Empty title="No backups yet.">
        <p className="max-w-prose text-ink-2">
          Destroying an instance takes a snapshot first: it stays at DigitalOcean.
        </p>
      </Empty>
    </Page>
  );
}
