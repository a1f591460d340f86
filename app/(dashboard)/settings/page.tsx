import { Page } from "#app/ui/pageFrame.tsx";
import { Connections } from "./connections.tsx";
import { People } from "./people.tsx";

export default function SettingsPage() {
  return (
    <Page title="Settings">
      <div className="grid max-w-180 gap-12 pt-8">
        <Connections />
        <People />
      </div>
    </Page>
  );
}
