import "ssh2";

declare module "ssh2" {
  interface Connection {
    /** There since ssh2 1.0 as on the client, missing in its types. */
    setNoDelay(noDelay?: boolean): this;
  }
}
