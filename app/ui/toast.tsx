"use client";
import { Toast } from "radix-ui";
import { createContext, type ReactNode, useCallback, useContext, useState } from "react";

type Say = (userMessage: string) => void;
const ToastContext = createContext<Say | undefined>(undefined);

/** Says what was done where nothing else on the page shows it. The newest sentence replaces the one before. */
export function ToastProvider({ children }: { children: ReactNode }) {
  const [said, setSaid] = useState<{ id: number; userMessage: string }>();
  const say = useCallback<Say>(
    (userMessage) => setSaid((before) => ({ id: (before?.id ?? 0) + 1, userMessage })),
    [],
  );
  return (
    <Toast.Provider duration={4000} label="Note" swipeDirection="down">
      <ToastContext.Provider value={say}>{children}</ToastContext.Provider>
      {said !== undefined && (
        <Toast.Root
          key={said.id}
          type="background"
          onOpenChange={(open) => !open && setSaid((now) => (now?.id === said.id ? undefined : now))}
          className="animate-[rise_180ms_cubic-bezier(.2,0,0,1)] rounded-[10px] bg-raised px-4 py-3 text-sm shadow-pop data-[swipe=move]:translate-y-(--radix-toast-swipe-move-y)"
        >
          <Toast.Description>{said.userMessage}</Toast.Description>
        </Toast.Root>
      )}
      <Toast.Viewport
        label="Notes"
        className="fixed right-6 bottom-6 z-50 w-max max-w-[calc(100vw-32px)] max-md:right-4 max-md:bottom-36"
      />
    </Toast.Provider>
  );
}

/** A function that shows one sentence for four seconds. */
export function useToast(): Say {
  const say = useContext(ToastContext);
  if (say === undefined) throw new Error("useToast must be used within a ToastProvider.");
  return say;
}
