"use client";
import type { ReactNode } from "react";
import { createPortal } from "react-dom";
import { Button } from "./button.tsx";

type Props = {
  /** Over the page instead of in its flow. */
  isOverlay?: boolean;
  /** What was to be said by the code that is missing. */
  children?: ReactNode;
};

/** Says that code of the page couldn't be loaded: the connection is lost, or a newer version has replaced it. */
export function NotLoaded({ isOverlay = false, children }: Props) {
  const said = (
    <div
      role="alert"
      className={`flex flex-wrap items-center gap-x-4 gap-y-2 text-sm ${isOverlay ? "fixed right-6 bottom-24 z-50 max-w-110 rounded-[10px] bg-raised px-4 py-3 shadow-pop max-md:inset-x-4 max-md:bottom-36" : "p-5"}`}
    >
      <p className="min-w-0 flex-1 basis-60">
        {children} This part of the page couldn't be loaded. Check your connection, then reload the page.
      </p>
      <Button onClick={() => location.reload()}>Reload</Button>
    </div>
  );
  return isOverlay ? createPortal(said, document.body) : said;
}
