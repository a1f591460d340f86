"use client";
import { usePathname } from "next/navigation";
import { type ReactNode, useEffect, useRef } from "react";
import { LiveProvider } from "#app/live.tsx";
import { loadOpenMenu } from "#app/ui/menu.tsx";
import { loadShownToast, ToastProvider } from "#app/ui/toast.tsx";
import { whenIdle } from "#app/ui/whenIdle.ts";
import { Sidebar } from "./_shell/sidebar.tsx";

export default function DashboardLayout({ children }: { children: ReactNode }) {
  // So that the first click needn't wait for code. If loading fails here, the click tries again.
  useEffect(() => whenIdle(() => void Promise.allSettled([loadOpenMenu(), loadShownToast()])), []);
  useFocusOnNewPage();
  return (
    <LiveProvider>
      <ToastProvider>
        <a
          href="#content"
          className="sr-only focus:not-sr-only focus:absolute focus:left-4 focus:top-4 focus:z-50 focus:bg-raised focus:p-3"
        >
          Skip to content
        </a>
        <div className="md:flex">
          <Sidebar />
          <main id="content" tabIndex={-1} className="outline-none min-w-0 grow pb-24 md:pb-0">
            {children}
          </main>
        </div>
      </ToastProvider>
    </LiveProvider>
  );
}

/** What opened a new page has often gone with the old one, and the focus with it: it moves to the content then. */
function useFocusOnNewPage(): void {
  const path = usePathname();
  const shown = useRef(path);
  useEffect(() => {
    if (shown.current === path) return;
    shown.current = path;
    if (document.activeElement === document.body)
      document.getElementById("content")?.focus({ preventScroll: true });
  }, [path]);
}
