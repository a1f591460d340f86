/** @type {import("next").NextConfig} */
export default {
  poweredByHeader: false,
  reactStrictMode: true,
  // Native or worker-threaded packages stay outside the bundle.
  serverExternalPackages: ["better-sqlite3", "graphile-worker", "pg", "ssh2"],
  // Types are checked by `npm test`, by the compiler itself.
  typescript: { ignoreBuildErrors: true },
  experimental: { cpus: 2 },
  // Links that were shared before the page got this name.
  async redirects() {
    return [{ source: "/together/:batch", destination: "/batches/:batch", permanent: true }];
  },
  async headers() {
    return [
      {
        source: "/:path*",
        headers: [
          { key: "X-Content-Type-Options", value: "nosniff" },
          { key: "X-Frame-Options", value: "DENY" },
          { key: "Referrer-Policy", value: "same-origin" },
          { key: "Cross-Origin-Opener-Policy", value: "same-origin" },
          { key: "Cross-Origin-Resource-Policy", value: "same-origin" },
          { key: "Permissions-Policy", value: "camera=(), geolocation=(), microphone=()" },
        ],
      },
    ];
  },
};
