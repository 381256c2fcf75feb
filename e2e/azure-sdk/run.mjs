// Microsoft's own client for Microsoft.ManagementPartner judges the simulator.
//
//   npm ci
//   node run.mjs path/to/mcp-partner    starts `mcp-partner simulate` and ends it
//   SIMULATOR_READY=LINE NODE_EXTRA_CA_CERTS=FILE node run.mjs
//                                       uses one that runs; LINE is the JSON line
//                                       that `simulate` printed, FILE its CA
//
// Node reads NODE_EXTRA_CA_CERTS only when it starts, and the certificate is
// known only when the simulator runs: so the first form runs the second one.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

if (process.env.SIMULATOR_READY) {
  await import("./judge.mjs");
} else {
  process.exitCode = await startAndJudge(process.argv[2]);
}

async function startAndJudge(binary) {
  if (!binary) {
    console.error("usage: node run.mjs path/to/mcp-partner, or set SIMULATOR_READY to the line that `simulate` printed");
    return 2;
  }
  const dir = await mkdtemp(join(tmpdir(), "azure-sdk-lane-"));
  const simulator = startSimulator(binary, join(dir, "ca.pem"));
  try {
    return await judge(await readyLine(simulator));
  } catch (err) {
    console.error(err.message);
    return 1;
  } finally {
    simulator.stdin.end();
    await rm(dir, { recursive: true });
  }
}

// The small read bucket lets a burst of requests run into 429; the seed fixes
// the GUIDs, not which tenant a test takes.
function startSimulator(binary, caFile) {
  const args = ["simulate", "--listen", "127.0.0.1:0", "--tenants", "12", "--seed", "1", "--throttle", "reads=30/20,writes=200/10",
    "--ca-out", caFile, "--until-stdin-closes"];
  return spawn(binary, args, { stdio: ["pipe", "pipe", "inherit"] });
}

async function readyLine(simulator) {
  const lines = createInterface({ input: simulator.stdout });
  const failed = Promise.race([once(simulator, "error").then(([err]) => err.message), once(simulator, "exit").then(([code]) => `exit code ${code}`)]);
  const first = await Promise.race([once(lines, "line"), failed.then((why) => Promise.reject(new Error(`the simulator did not start: ${why}`)))]);
  lines.close();
  simulator.stdout.resume();
  return first[0];
}

async function judge(line) {
  const env = { ...process.env, SIMULATOR_READY: line, NODE_EXTRA_CA_CERTS: JSON.parse(line).ca_file };
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], { stdio: "inherit", env });
  const [code] = await once(child, "exit");
  return code ?? 1;
}
