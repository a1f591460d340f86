/** Where the application under test listens: away from the defaults, so that one that is in use is left alone. */
export const ports = { dashboard: 3180, cloud: 4180, edge: 4188, ssh: 4182, web: 8180 };

export const account = { email: "joe@intranet.localhost", password: "correct horse battery staple" };

export const cloudUrl = `http://127.0.0.1:${ports.cloud}`;
