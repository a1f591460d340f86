"use client";
import { useDeferredValue, useState } from "react";
import { Page } from "../../ui/pageFrame.tsx";
import { ActivityList } from "../activityList.tsx";
import { SearchBox } from "../listFilters.tsx";

export default function ActivityPage() {
  const [search, setSearch] = useState("");
  const words = useDeferredValue(search.trim());
  return (
    <Page title="Activity" lead="Who did what, when.">
      <div className="mt-6 flex">
        <SearchBox value={search} onChange={setSearch} />
      </div>
      <ActivityList search={words} />
    </Page>
  );
}
