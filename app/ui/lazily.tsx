"use client";
import dynamic from "next/dynamic";
import type { ComponentType, ReactNode } from "react";
import { NotLoaded } from "./notLoaded.tsx";

type Options = {
  /** Shown while the code loads. */
  loading?: ReactNode;
  /** The component covers the page, and so does the sentence in its place. */
  isOverlay?: boolean;
};

const InPlace = () => <NotLoaded />;
const OverPage = () => <NotLoaded isOverlay />;

/** A component whose code is loaded when it's first shown. If that fails, a sentence in its place says so. */
export const lazily = <Props extends object>(
  load: () => Promise<ComponentType<Props>>,
  { loading = null, isOverlay = false }: Options = {},
): ComponentType<Props> =>
  dynamic<Props>(() => load().catch(() => (isOverlay ? OverPage : InPlace)), {
    // Otherwise it has no Suspense boundary of its own, and the whole page goes blank while it loads.
    ssr: false,
    loading: () => loading,
  });
