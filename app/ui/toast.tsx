"use client";
import { type ComponentType, createContext, type ReactNode, useCallback, useContext, useState } from "react";
import { NotLoaded } from "./notLoaded.tsx";

type Say = (userMessage: string) => void;
const ToastContext = createContext<Say | undefined>(undefined);

export type ShownToastProps = { id: number; userMessage: string; onClosed: () => void };

/** Loads the code that shows a toast. */
export const loadShownToast = () => import("./shownToast.tsx");

/** Says what was done where nothing else on the page shows it. The newest sentence replaces the one before. */
export function ToastProvider({ children }: { children: ReactNode }) {
  const [said, setSaid] = useState<{
    id: number;
    userMessage: string;
    ShownToast: ComponentType<ShownToastProps>;
  }>();
  const say = useCallback<Say>(async (userMessage) => {
    const { ShownToast } = await loadShownToast().catch(() => ({ ShownToast: PlainToast }));
    setSaid((before) => ({ id: (before?.id ?? 0) + 1, userMessage, ShownToast }));
  }, []);
  return (
    <>
      <ToastContext.Provider value={say}>{children}</ToastContext.Provider>
      {said !== undefined && (
        <said.ShownToast
          id={said.id}
          userMessage={said.userMessage}
          onClosed={() => setSaid((now) => (now?.id === said.id ? undefined : now))}
        />
      )}
    </>
  );
}

/** For when that code can't be loaded: what was to be said isn't lost. */
const PlainToast = ({ userMessage }: ShownToastProps) => <NotLoaded isOverlay>{userMessage}</NotLoaded>;

/** A function that shows one sentence for four seconds. */
export function useToast(): Say {
  const say = useContext(ToastContext);
  if (say === undefined) throw new Error("useToast must be used within a ToastProvider.");
  return say;
}
