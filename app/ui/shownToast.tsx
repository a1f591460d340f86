"use client";
import { Toast } from "radix-ui";
import type { ShownToastProps } from "./toast.tsx";

/** A message in the corner of the page that screen readers announce. */
export function ShownToast({ id, userMessage, onClosed }: ShownToastProps) {
  return (
    <Toast.Provider duration={4000} label="Notification" swipeDirection="down">
      <Toast.Root
        key={id}
        type="background"
        onOpenChange={(open) => !open && onClosed()}
        className="animate-[rise_180ms_cubic-bezier(.2,0,0,1)] rounded-[10px] bg-raised px-4 py-3 text-sm shadow-pop data-[swipe=move]:translate-y-(--radix-toast-swipe-move-y)"
      >
        <Toast.Description>{userMessage}</Toast.Description>
      </Toast.Root>
      <Toast.Viewport
        label="Notifications"
        className="fixed right-6 bottom-6 z-50 w-max max-w-[calc(100vw-32px)] max-md:right-4 max-md:bottom-36"
      />
    </Toast.Provider>
  );
}
