// How long does it take from a clean clone to the first answered
// check_partner_link in an MCP client? The module cache is warm, as after a look
// at the code; the build cache and the home directory are empty. The client
// starts the server as its configuration says, which `setup` has written.
//
//   npm ci
//   PROJECT=path/to/the/project node run.mjs path/to/mcp-partner
//
// The program that is given stands in for Azure; what is measured is built here.
// The figure is printed and not judged: this machine may be busy.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const aim = 60;
const binary = process.argv[2] && resolve(process.argv[2]);
const project = process.env.PROJECT && resolve(process.env.PROJECT);
if (!binary || !project) {
  console.error("usage: PROJECT=path/to/the/project node run.mjs path/to/mcp-partner");
  process.exit(2);
}

const folder = await mkdtemp(join(tmpdir(), "first-call-"));
const azure = spawn(binary, ["simulate", "--listen", "127.0.0.1:0", "--tenants", "2"], { stdio: ["ignore", "pipe", "inherit"] });
const ended = once(azure, "exit");
try {
  const lines = createInterface({ input: azure.stdout });
  const [line] = await Promise.race([once(lines, "line"), ended.then(([code]) => Promise.reject(new Error(`the simulation ended with ${code}`)))]);
  const world = JSON.parse(line);
  const secret = join(folder, "secret.txt");
  await writeFile(secret, world.client_secret, { mode: 0o600 });
  await measure(world, secret);
} finally {
  azure.kill("SIGTERM");
  await ended;
  execFileSync("chmod", ["-R", "u+w", folder]);
  await rm(folder, { recursive: true });
}

async function measure(world, secret) {
  const home = join(folder, "home");
  const clone = join(folder, "clone");
  const program = join(clone, "mcp-partner");
  const modules = execFileSync("go", ["env", "GOMODCACHE"], { encoding: "utf8" }).trim();
  const env = { PATH: process.env.PATH, HOME: home, GOMODCACHE: modules, GOCACHE: join(folder, "cache"), GOFLAGS: "-buildvcs=false" };
  const steps = [];
  const timed = async (name, work) => {
    const began = performance.now();
    const result = await work();
    steps.push([name, (performance.now() - began) / 1000]);
    return result;
  };

  await timed("clone", () => execFileSync("git", ["clone", "-q", project, clone], { stdio: "inherit" }));
  await timed("build", () => execFileSync("go", ["build", "-o", program, "./cmd/mcp-partner"], { cwd: clone, env, stdio: "inherit" }));
  await timed("setup", () => execFileSync(program, [
    "setup", "contoso", "--yes", "--protect-by", "file", "--partner-ids", "1234567", "--client", "cursor", "--client-id", world.client_id, "--secret-file", secret,
    "--tenant-id", world.tenants.find((tenant) => tenant.name === "contoso").tenant_id, "--cloud", "custom", "--authority", world.authority,
    "--arm-endpoint", world.arm_endpoint, "--arm-audience", world.audience, "--ca-file", world.ca_file, "--skip-instance-discovery",
  ], { env: { HOME: home, PATH: process.env.PATH }, stdio: "inherit" }));
  const answer = await timed("first call", () => firstCall(home));
  assert.equal(answer.status, "done", JSON.stringify(answer));
  assert.equal(answer.identity.tenant, "contoso");

  const total = steps.reduce((sum, [, seconds]) => sum + seconds, 0);
  console.log(steps.map(([name, seconds]) => `${name} ${seconds.toFixed(1)} s`).join(", "));
  console.log(`From a clean clone to the first answer: ${total.toFixed(1)} s (aim: under ${aim} s)`);
  console.log("1 passed, 0 failed");
}

// firstCall is what Cursor does with its configuration.
async function firstCall(home) {
  const { mcpServers } = JSON.parse(await readFile(join(home, ".cursor", "mcp.json"), "utf8"));
  const { command, args } = mcpServers.partner;
  const client = new Client({ name: "firstcall-lane", version: "1" });
  await client.connect(new StdioClientTransport({ command, args, env: { HOME: home } }));
  const { structuredContent } = await client.callTool({ name: "check_partner_link", arguments: { tenant: "contoso" } });
  await client.close();
  return structuredContent;
}
