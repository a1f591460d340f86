import { Body, Container, Head, Heading, Html, Link, Preview, Section, Text } from "@react-email/components";
import type { ReactNode } from "react";

const ink = "#14181f";
const soft = "#59616b";
/**
 * Mail clients that know dark mode get the dashboard's dark palette; the others show what stands inline.
 * React Email repeats the body's style on the cell inside it: that one must turn dark as well.
 */
const darkCss = `@media (prefers-color-scheme: dark) {
  .paper, .paper td { background-color: #0e1114 !important; color: #eff0f2 !important; }
  .ink { color: #eff0f2 !important; }
  .soft { color: #b3b9bf !important; }
  .rule { border-color: #22262b !important; }
  .button { background-color: #eff0f2 !important; color: #0e1114 !important; }
}`;

const family = "Geist, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";

/** One letter for everything the Spawner writes: a sentence first, then what is known, then one way on. */
export function Letter(props: {
  preview: string;
  title: string;
  children: ReactNode;
  facts: [string, string][];
  action: { label: string; href: string };
}) {
  return (
    <Html lang="en">
      <Head>
        <meta name="color-scheme" content="light dark" />
        <meta name="supported-color-schemes" content="light dark" />
        <style>{darkCss}</style>
      </Head>
      <Preview>{props.preview}</Preview>
      <Body
        className="paper"
        style={{
          backgroundColor: "#fdfdfd",
          color: ink,
          fontFamily: family,
          margin: 0,
          padding: "32px 16px",
        }}
      >
        <Container style={{ maxWidth: 560 }}>
          <Text style={{ fontSize: 14, fontWeight: 600, margin: "0 0 32px" }}>Spawner</Text>
          <Heading
            as="h1"
            className="ink"
            style={{ fontSize: 26, lineHeight: "32px", letterSpacing: "-0.02em", margin: "0 0 12px" }}
          >
            {props.title}
          </Heading>
          {props.children}
          <Section style={{ margin: "24px 0" }}>
            <Link
              className="button"
              href={props.action.href}
              style={{
                backgroundColor: ink,
                color: "#fcfcfc",
                borderRadius: 6,
                display: "inline-block",
                fontSize: 15,
                fontWeight: 600,
                padding: "12px 20px",
                textDecoration: "none",
              }}
            >
              {props.action.label}
            </Link>
          </Section>
          <Section className="rule" style={{ borderTop: "1px solid #e4e7ea" }}>
            {props.facts.map(([name, value]) => (
              <Text
                key={name}
                className="soft"
                style={{ color: soft, fontSize: 14, lineHeight: "20px", margin: "12px 0" }}
              >
                {name}:{" "}
                <span className="ink" style={{ color: ink }}>
                  {value}
                </span>
              </Text>
            ))}
          </Section>
        </Container>
      </Body>
    </Html>
  );
}

export function Paragraph({ children }: { children: ReactNode }) {
  return <Text style={{ fontSize: 16, lineHeight: "24px", margin: "0 0 12px" }}>{children}</Text>;
}
