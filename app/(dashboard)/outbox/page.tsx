"use client";
import { useQuery } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { age, exact, useNow } from "#app/time.ts";
import { sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Empty, Notice, Skeleton } from "#app/ui/notice.tsx";
import { Page } from "#app/ui/pageFrame.tsx";

export default function OutboxPage() {
  const trpc = useTRPC();
  const now = useNow(30_000);
  const query = useQuery(trpc.outbox.list.queryOptions(undefined, { staleTime: 0 }));
  const [openId, setOpenId] = useState<string>();
  const frame = useRef<HTMLIFrameElement>(null);
  const mails = query.data?.mails ?? [];
  const open = mails.find((mail) => mail.id === openId) ?? mails[0];
  return (
    <Page title="Outbox" lead="Mail that would have been sent. Set RESEND_API_KEY to send it.">
      {query.isPending && <Skeleton />}
      {query.isError && <Notice tone="bad">{sentenceOf(query.error)}</Notice>}
      {query.isSuccess && mails.length === 0 && <Empty title="No mail yet." />}
      {open !== undefined && (
        <div className="mt-6 grid gap-8 lg:grid-cols-[360px_1fr]">
          <ul>
            {mails.map((mail) => (
              <li key={mail.id} className="border-b border-line">
                <button
                  type="button"
                  aria-pressed={mail.id === open.id}
                  onClick={() => {
                    setOpenId(mail.id);
                    // On a phone it's below the list.
                    frame.current?.scrollIntoView({ block: "nearest" });
                  }}
                  className={`w-full px-2 py-3 text-left hover:bg-hover ${mail.id === open.id ? "bg-hover" : ""}`}
                >
                  <span className="block font-medium">{mail.subject}</span>
                  <span className="flex justify-between text-sm text-ink-3">
                    <span>to {mail.to}</span>
                    <time title={exact(mail.at)}>{age(mail.at, now)}</time>
                  </span>
                </button>
              </li>
            ))}
          </ul>
          <iframe
            ref={frame}
            title={open.subject}
            sandbox="allow-popups allow-popups-to-escape-sandbox"
            srcDoc={`<base target="_blank">${open.html}`}
            className="h-160 w-full scroll-mb-20 rounded-[6px] border border-line bg-white"
          />
        </div>
      )}
    </Page>
  );
}
