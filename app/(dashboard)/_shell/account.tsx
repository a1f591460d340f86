"use client";
import { useQuery } from "@tanstack/react-query";
import { ChevronsUpDown } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { chooseTheme, type Theme } from "#app/theme.ts";
import { useTRPC } from "#app/trpc.tsx";
import { Initial } from "#app/ui/initial.tsx";

const themes: { value: Theme; label: string }[] = [
  { value: "system", label: "System" },
  { value: "light", label: "Light" },
  { value: "dark", label: "Dark" },
];

/** Loaded when it is pressed: few visits end with it. */
const signOut = async () => (await import("next-auth/react")).signOut({ callbackUrl: "/login" });

/** Who is signed in, the theme, and the way out. `alone`: only the initial, as in a phone's head. */
export function Account({ alone = false }: { alone?: boolean }) {
  const trpc = useTRPC();
  const me = useQuery(trpc.session.me.queryOptions());
  const name = me.data?.name ?? "";
  const item =
    "flex h-9 cursor-pointer items-center rounded-[6px] px-2.5 text-sm data-highlighted:bg-hover outline-none";
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger
        aria-label={`Account of ${name}`}
        className={
          alone
            ? "grid size-11 place-items-center rounded-[6px]"
            : "-mx-2 flex items-center gap-2.5 border-t border-line px-2 pt-3 text-left md:max-lg:justify-center"
        }
      >
        <Initial name={name} />
        {!alone && (
          <>
            <span className="grow truncate md:max-lg:sr-only">{name}</span>
            <ChevronsUpDown size={15} className="shrink-0 text-ink-3 md:max-lg:hidden" aria-hidden />
          </>
        )}
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content sideOffset={6} className="z-50 w-52 rounded-[10px] bg-raised p-1.5 shadow-pop">
          {themes.map(({ value, label }) => (
            <DropdownMenu.Item key={value} className={item} onSelect={() => chooseTheme(value)}>
              {label}
            </DropdownMenu.Item>
          ))}
          <DropdownMenu.Separator className="my-1.5 h-px bg-line" />
          <DropdownMenu.Item className={item} onSelect={() => void signOut()}>
            Sign out
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
