// The protocol's own inspector judges the binary, over both transports and in
// both eras.
//
//   npm ci
//   node run.mjs path/to/mcp-partner    needs Node 22.19 or later
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const inspector = fileURLToPath(new URL("node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js", import.meta.url));
const serveArguments = ["serve", "--simulate=3"];
const toolCount = 12;

const binary = process.argv[2] && resolve(process.argv[2]);
if (!binary) {
  console.error("usage: node run.mjs path/to/mcp-partner");
  process.exit(2);
}

// The inspector keeps a store below HOME; this one goes away again.
const home = await mkdtemp(join(tmpdir(), "inspector-lane-"));
const server = spawn(binary, [...serveArguments, "--http", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"] });
const ended = once(server, "exit");
try {
  const lines = createInterface({ input: server.stdout });
  const first = await Promise.race([once(lines, "line"), ended.then(([code]) => Promise.reject(new Error(`the server ended with ${code}`)))]);
  const { url, token } = JSON.parse(first[0]);
  const over = {
    stdio: [binary, ...serveArguments, "--transport", "stdio"],
    http: [url, "--transport", "http", "--header", `Authorization: Bearer ${token}`],
  };
  for (const [transport, target] of Object.entries(over)) {
    for (const era of ["legacy", "modern"]) await judge(transport, target, era);
  }
  await refusesWithoutBearer(url);
} finally {
  server.kill("SIGTERM");
  const [code] = await ended;
  await rm(home, { recursive: true });
  assert.equal(code, 0, "the server did not end well");
}

async function judge(transport, target, era) {
  const ask = async (...args) => {
    const { code, out, err } = await inspect(...target, "--protocol-era", era, ...args);
    assert.equal(code, 0, `${transport} ${era} ${args.join(" ")}: exit code ${code}\n${out}\n${err}`);
    return JSON.parse(out);
  };
  const { tools } = await ask("--method", "tools/list", "--strict");
  assert.equal(tools.length, toolCount);
  const called = await ask("--method", "tools/call", "--tool-name", "check_partner_link", "--tool-args-json", '{"tenant":"contoso"}');
  assert.equal(called.structuredContent.status, "done", JSON.stringify(called));
  assert.equal(called.structuredContent.identity.tenant, "contoso");
  const read = await ask("--method", "resources/read", "--uri", "partner://docs/pal");
  assert.match(read.contents[0].text, /Partner Admin Link/);
  const prompt = await ask("--method", "prompts/get", "--prompt-name", "compliance_check", "--prompt-args", "tenant=contoso");
  assert.match(prompt.messages[0].content.text, /contoso/);
  console.log(`ok  ${transport}, ${era}: tools/list --strict, tools/call, resources/read, prompts/get`);
}

async function refusesWithoutBearer(url) {
  const { code } = await inspect(url, "--transport", "http", "--stored-auth-only", "--method", "tools/list");
  assert.notEqual(code, 0);
  console.log("ok  http without the bearer is refused");
}

async function inspect(...args) {
  const env = { ...process.env, HOME: home };
  const child = spawn(process.execPath, [inspector, "--cli", ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const texts = [[], []];
  child.stdout.on("data", (chunk) => texts[0].push(chunk));
  child.stderr.on("data", (chunk) => texts[1].push(chunk));
  const [code] = await once(child, "close");
  const [out, err] = texts.map((chunks) => Buffer.concat(chunks).toString());
  return { code, out, err };
}
