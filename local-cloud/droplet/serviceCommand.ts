// The droplet's `service` command, run in $DROPLET_ROOT/run by the script in $DROPLET_ROOT/bin.
import { connect } from "node:net";

const socket = connect("init.sock");
let text = "";
socket.setEncoding("utf8");
socket.on("data", (part: string) => {
  text += part;
});
socket.on("error", () => {
  console.error("service: the droplet's init does not answer. Is the droplet still booting?");
  process.exitCode = 4;
});
socket.on("end", () => {
  const answer = JSON.parse(text) as { code: number; text: string };
  (answer.code === 0 ? console.log : console.error)(answer.text);
  process.exitCode = answer.code;
});
socket.end(JSON.stringify(process.argv.slice(2)));
