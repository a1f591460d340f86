import { Page } from "../../ui/pageFrame.tsx";
import { ActivityList } from "../activityList.tsx";

export default function ActivityPage() {
  return (
    <Page title="Activity" lead="Who did what, when.">
      <ActivityList />
    </Page>
  );
}
