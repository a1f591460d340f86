"use client";
import { useQuery } from "@tanstack/react-query";
import { ChevronsUpDown } from "lucide-react";
import { chooseTheme, type Theme } from "#app/theme.ts";
import { useTRPC } from "#app/trpc.tsx";
import { Initial } from "#app/ui/initial.tsx";
import { Menu } from "#app/ui/menu.tsx";
import { useToast } from "#app/ui/toast.tsx";

const themes: { value: Theme; label: string }[] = [
  { value: "system", label: "System" },
  { value: "light", label: "Light" },
  { value: "dark", label: "Dark" },
];

/** Loaded when it is pressed: few visits end with it. */
const loadAuth = () => import("next-auth/react");

/** Who is signed in, the theme, and the way out. `alone`: only the initial, as in a phone's head. */
export function Account({ alone = false }: { alone?: boolean }) {
  const trpc = useTRPC();
  const me = useQuery(trpc.session.me.queryOptions());
  const name = me.data?.name ?? "";
  const say = useToast();
  const signOut = () =>
    loadAuth().then(
      (auth) => auth.signOut({ callbackUrl: "/login" }),
      () => say("Couldn't sign out. Check your connection, then reload the page."),
    );
  return (
    <Menu
      label={`Account of ${name}`}
      className={
        alone
          ? "grid size-11 place-items-center rounded-[6px]"
          : "-mx-2 flex items-center gap-2.5 border-t border-line px-2 pt-3 text-left md:max-lg:justify-center"
      }
      width="w-52"
      items={[
        ...themes.map(({ value, label }) => ({ label, onChoose: () => chooseTheme(value) })),
        "separator" as const,
        { label: "Sign out", onChoose: () => void signOut() },
      ]}
    >
      <Initial name={name} />
      {!alone && (
        <>
          <span className="grow truncate md:max-lg:sr-only">{name}</span>
          <ChevronsUpDown size={15} className="shrink-0 text-ink-3 md:max-lg:hidden" aria-hidden />
        </>
      )}
    </Menu>
  );
}
