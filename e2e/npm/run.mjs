// Publishes the npm packages to a registry on this machine, and uses them as people and
// clients do: npm ci, npx, and the blocks of clients that start npx.
//
//   npm ci --ignore-scripts
//   PROJECT=path/to/the/project node run.mjs path/to/mcp-partner
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const binary = resolve(process.argv[2]), project = resolve(process.env.PROJECT);
const scope = "@lane", version = "1.2.3", name = `${scope}/mcp-partner`, pinned = `${name}@${version}`;
const folder = mkdtempSync(join(tmpdir(), "npm der Zoë "));
const own = `${process.platform}-${process.arch}`;

const probe = createServer().listen(0, "127.0.0.1");
await once(probe, "listening");
const { port } = probe.address();
probe.close();
const registry = `http://127.0.0.1:${port}/`;

// fresh is the environment of somebody who never used npm here.
function fresh(name) {
  const home = join(folder, name);
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, ".npmrc"), `registry=${registry}\n//127.0.0.1:${port}/:_authToken=lane\nfund=false\naudit=false\nupdate-notifier=false\nloglevel=error\n`);
  return { cwd: home, env: { PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`, HOME: home, MCP_PARTNER_STATE_DIR: join(home, "state") }, encoding: "utf8" };
}

const run = (at, ...command) => execFileSync(command[0], command.slice(1), at);

async function startRegistry() {
  const config = join(folder, "registry.yaml");
  writeFileSync(config, `storage: ${JSON.stringify(join(folder, "storage"))}
max_body_size: 100mb
packages: {"**": {access: $all, publish: $anonymous $all}}
log: {type: stdout, format: pretty, level: warn}
`);
  const child = spawn(process.execPath, [fileURLToPath(new URL("node_modules/verdaccio/bin/verdaccio", import.meta.url)), "-c", config, "-l", `127.0.0.1:${port}`], { stdio: ["ignore", "pipe", "inherit"], cwd: folder });
  for (let tries = 0; ; tries++) {
    if (await fetch(`${registry}-/ping`).then((r) => r.ok, () => false)) return child;
    assert.ok(tries < 300 && child.exitCode === null, "the registry does not start");
    await new Promise((done) => setTimeout(done, 100));
  }
}

// published makes and publishes the packages. Those of other platforms hold no program.
function published() {
  const other = join(folder, "other"), notices = join(folder, "notices"), sbom = join(folder, "sbom");
  writeFileSync(other, "of another platform\n");
  run({ cwd: project, stdio: "inherit" }, join(project, "deploy/notices"), binary, notices);
  run({ cwd: project, stdio: "inherit" }, join(project, "deploy/sbom"), binary, sbom);
  const build = (...programs) => spawnSync(process.execPath, [join(project, "deploy/npm/build.mjs"), scope, version, join(folder, "packages"), ...programs], { encoding: "utf8" });
  assert.equal(build(`${own}=${binary}`).status, 2, "a program without its licences is packed");
  assert.equal(build(`${own}=${binary},${notices}.none,${sbom}`).status, 2, "licences that are not there are left out");
  const platforms = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64", "win32-x64", "win32-arm64"];
  const { stdout, stderr } = build(...platforms.map((platform) => platform === own ? `${own}=${binary},${notices},${sbom}` : `${platform}=${other},${other},${other}`));
  const made = stdout.trim().split("\n");
  assert.equal(made.length, platforms.length + 1, stderr);
  const at = fresh("publisher");
  for (const one of made) run(at, "npm", "publish", one, "--access", "public");
}

function checkProject() {
  const at = fresh("a project");
  run(at, "npm", "init", "-y");
  run(at, "npm", "install", "--save-exact", pinned);
  rmSync(join(at.cwd, "node_modules"), { recursive: true });
  run(at, "npm", "ci");
  assert.deepEqual(readdirSync(join(at.cwd, "node_modules", scope)).sort(), ["mcp-partner", `mcp-partner-${own}`]);
  for (const file of ["LICENSE", "NOTICE", "THIRD_PARTY_NOTICES.txt", "sbom.cdx.json"]) assert.ok(existsSync(join(at.cwd, "node_modules", scope, `mcp-partner-${own}`, file)), file);
  const said = JSON.parse(run(at, "npx", "--no", "mcp-partner", "version", "--json"));
  assert.ok(said.version && said.protocol_versions.length);
  const refused = spawnSync("npx", ["--no", "mcp-partner", "check", "--no-such-flag"], at);
  assert.equal(refused.status, 2, refused.stderr); // the program's own exit code
  console.log("ok: npm ci installs the program of this platform alone");
}

// A client starts the command of a block, in a folder of its own.
async function checkBlocks() {
  const args = ["-y", pinned, "serve", "--simulate"];
  const blocks = { "Claude Desktop": { mcpServers: { partner: { command: "npx", args } } }, Cursor: { mcpServers: { partner: { command: "npx", args } } }, "VS Code": { servers: { partner: { type: "stdio", command: "npx", args } } } };
  for (const [title, block] of Object.entries(blocks)) {
    const at = fresh(title), [{ command, args }] = Object.values(Object.values(block)[0]);
    const client = new Client({ name: "npm-lane", version: "1" });
    await client.connect(new StdioClientTransport({ command, args, ...at, stderr: "inherit" }));
    const { tools } = await client.listTools();
    assert.ok(tools.some((tool) => tool.name === "check_partner_link"), title);
    const answer = await client.callTool({ name: "check_partner_link", arguments: { tenant: "contoso" } });
    assert.equal(answer.structuredContent.status, "done", JSON.stringify(answer));
    await client.close();
    console.log(`ok: ${title}'s block starts it with npx, in an empty folder`);
  }
}

function checkInstall() {
  const at = fresh("installs");
  const { status, stderr } = spawnSync("npx", ["-y", pinned, "install", "cursor"], at);
  assert.equal(status, 3, stderr);
  assert.match(stderr, /npx/);
  assert.ok(!existsSync(join(at.cwd, ".cursor")), "it wrote a path of npx's cache into a client's file");
  console.log("ok: install writes no path of npx's cache");
}

// The launcher passes a signal on, and ends as the program does.
async function checkSignal() {
  const at = fresh("ended");
  run(at, "npm", "install", pinned);
  const child = spawn(process.execPath, [join(at.cwd, "node_modules", scope, "mcp-partner", "launcher.mjs"), "serve", "--http", "127.0.0.1:0", "--simulate"], { ...at, stdio: ["ignore", "pipe", "ignore"] });
  const [line] = await once(child.stdout, "data");
  const { url } = JSON.parse(line);
  child.kill("SIGTERM");
  const [code] = await once(child, "exit");
  assert.equal(code, 0);
  await assert.rejects(fetch(url), "the program goes on without its launcher");
  console.log("ok: a signal ends the program too");
}

let server;
try {
  server = await startRegistry();
  published();
  checkProject();
  await checkBlocks();
  checkInstall();
  await checkSignal();
} finally {
  server?.kill();
  rmSync(folder, { recursive: true, force: true });
}
