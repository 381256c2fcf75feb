// Starts the binary as a client would, and ends it again.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export const binary = process.env.CLIENTS_BINARY;

// What the server is started with. The simulation lives in its process, so
// every server has tenants of its own.
export const serveArguments = ["serve", "--simulate=3", "--allow-writes", "--log-level", "warn"];

// serveHTTP starts the server on a free port. It returns its address, its
// bearer, and end, which stops it as a service manager would.
export async function serveHTTP() {
  const child = spawn(binary, [...serveArguments, "--http", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout });
  const line = await Promise.race([once(lines, "line").then(([text]) => text), exited.then(([code]) => Promise.reject(new Error(`the server ended with ${code}`)))]);
  const { url, token, expires_at: expiresAt } = JSON.parse(line);
  return {
    url, token, expiresAt,
    async end() {
      child.kill("SIGTERM");
      const [code] = await exited;
      return code;
    },
  };
}
