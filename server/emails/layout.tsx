import { Body, Container, Head, Heading, Html, Link, Preview, Section, Text } from "@react-email/components";
import type { ReactNode } from "react";

const ink = "#14181f";
const soft = "#59616b";
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
      </Head>
      <Preview>{props.preview}</Preview>
      <Body
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
            style={{ fontSize: 26, lineHeight: "32px", letterSpacing: "-0.02em", margin: "0 0 12px" }}
          >
            {props.title}
          </Heading>
          {props.children}
          <Section style={{ margin: "24px 0" }}>
            <Link
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
          <Section style={{ borderTop: "1px solid #e4e7ea" }}>
            {props.facts.map(([name, value]) => (
              <Text key={name} style={{ color: soft, fontSize: 14, lineHeight: "20px", margin: "12px 0" }}>
                {name}: <span style={{ color: ink }}>{value}</span>
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
