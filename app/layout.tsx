import type { Metadata, Viewport } from "next";
import { headers } from "next/headers";
import type { ReactNode } from "react";
import "@fontsource-variable/geist";
import "@fontsource-variable/geist-mono";
import "./globals.css";
import { nonceHeader } from "./contentSecurityPolicy.ts";
import { themeScript } from "./theme.ts";
import { TrpcProvider } from "./trpc.tsx";

export const metadata: Metadata = { title: "Spawner" };
export const viewport: Viewport = { width: "device-width", initialScale: 1 };

export default async function RootLayout({ children }: { children: ReactNode }) {
  const nonce = (await headers()).get(nonceHeader) ?? undefined;
  return (
    <html lang="en" suppressHydrationWarning>
      <head>
        {/* Before the first paint, so that no page flashes in the other theme. */}
        {/* biome-ignore lint/security/noDangerouslySetInnerHtml: a constant of this repository */}
        <script nonce={nonce} dangerouslySetInnerHTML={{ __html: themeScript }} />
      </head>
      <body>
        <TrpcProvider>{children}</TrpcProvider>
      </body>
    </html>
  );
}
