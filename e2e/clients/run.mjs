// Both TypeScript clients of the protocol judge the binary.
//
//   npm ci
//   node run.mjs path/to/mcp-partner
import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const binary = process.argv[2];
if (binary) {
  const cwd = dirname(fileURLToPath(import.meta.url));
  const env = { ...process.env, CLIENTS_BINARY: resolve(binary) };
  const child = spawn(process.execPath, ["--test", "clients.test.mjs"], { cwd, env, stdio: "inherit" });
  const [code] = await once(child, "exit");
  process.exitCode = code ?? 1;
} else {
  console.error("usage: node run.mjs path/to/mcp-partner");
  process.exitCode = 2;
}
