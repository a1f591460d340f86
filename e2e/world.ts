const shift = Number(process.env.E2E_PORT_SHIFT ?? "0");

/**
 * Where the application under test listens: away from the defaults, so that one that is in use is left alone.
 * `E2E_PORT_SHIFT` moves all of them, so that two checkouts can be tested side by side.
 */
export const ports = {
  dashboard: 3180 + shift,
  cloud: 4180 + shift,
  edge: 4188 + shift,
  ssh: 4182 + shift,
  web: 8180 + shift,
};

export const account = { email: "joe@intranet.localhost", password: "correct horse battery staple" };

export const cloudUrl = `http://127.0.0.1:${ports.cloud}`;
