"use client";
import { useDeferredValue, useState } from "react";
import { SearchBox } from "#app/(dashboard)/_instances/listFilters.tsx";
import { Page } from "#app/ui/pageFrame.tsx";
import { ActivityList } from "./activityList.tsx";

export default function ActivityPage() {
  const [search, setSearch] = useState("");
  const words = useDeferredValue(search.trim());
  return (
    <Page title="Activity" lead="Who did what, and when.">
      <div className="mt-6 flex">
        <SearchBox value={search} onChange={setSearch} />
      </div>
      <ActivityList search={words} />
    </Page>
  );
}
