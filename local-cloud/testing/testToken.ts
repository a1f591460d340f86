/** The token of the local clouds that tests and benchmarks start. */
export const testToken = "token-of-a-local-cloud-under-test";
export const testAuthorization = { authorization: `Bearer ${testToken}` };
