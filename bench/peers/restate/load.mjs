// Registers the service, asks for so many diamonds and says what came of them.
//
//   node load.mjs INGRESS_SOCKET ADMIN_SOCKET SERVICE_PORT COUNT

import http from "node:http";

const [ingress, admin, port, count] = process.argv.slice(2);
const AT_ONCE = 64;
const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });

function post(socketPath, path, body) {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", accept: "application/json" };
    const request = http.request({ socketPath, path, method: "POST", agent, headers }, (response) => {
      let text = "";
      response.on("data", (part) => (text += part));
      response.on("end", () =>
        response.statusCode < 300 ? resolve(JSON.parse(text)) : reject(new Error(`${path}: ${text}`)),
      );
    });
    request.on("error", reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function stored() {
  const query =
    "SELECT count(*) AS n FROM sys_invocation WHERE target_handler_name = 'run' AND completion_result = 'success'";
  return (await post(admin, "/query", { query })).rows[0].n;
}

await post(admin, "/deployments", { uri: `http://127.0.0.1:${port}`, force: true });
const before = await post(ingress, "/diamonds/calls");
let left = Number(count);
const began = performance.now();
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    while (left > 0) {
      left -= 1;
      const result = await post(ingress, "/diamonds/run");
      if (result !== 2) throw new Error(`wrong result: ${result}`);
    }
  }),
);
const seconds = (performance.now() - began) / 1000;
const calls = (await post(ingress, "/diamonds/calls")) - before;
console.log(JSON.stringify({ seconds, calls, stored: await stored() }));
process.exit();
