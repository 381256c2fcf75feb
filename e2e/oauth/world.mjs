// What stands around a sign-in: a simulated Azure, a state directory with its tenants,
// and the server under test, reached by the name that browsers take for this machine.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import * as upstream from "./issuer.mjs";

// freePort may be taken by another before it is used: then the server says so.
export async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  await new Promise((done) => probe.close(done));
  return port;
}

export class World {
  folder = mkdtempSync(join(tmpdir(), "oauth-"));
  children = [];

  constructor(binary) {
    this.binary = resolve(binary);
    this.env = { PATH: process.env.PATH, HOME: this.folder, MCP_PARTNER_STATE_DIR: join(this.folder, "state"), MCP_PARTNER_CONFIG: "" };
  }

  run(args, input) {
    const { status, stdout, stderr } = spawnSync(this.binary, args, { input, env: this.env, encoding: "utf8" });
    if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`);
    return stdout;
  }

  // typed runs a command on a terminal of its own, and types a line each time that it asks.
  async typed(args, ...answers) {
    const quoted = [this.binary, ...args].map((word) => `'${word}'`).join(" ");
    const child = spawn("script", ["-qec", quoted, "/dev/null"], { env: this.env, stdio: ["pipe", "pipe", "inherit"] });
    this.children.push(child);
    let said = "", asked = 0;
    child.stdout.on("data", (text) => {
      said += text;
      if (!/(confirm|name|\(not shown\)|Repeat it): $/.test(said.slice(asked)) || !answers.length) return;
      asked = said.length;
      child.stdin.write(`${answers.shift()}\n`);
    });
    const [code] = await once(child, "exit");
    if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${said}`);
    return said;
  }

  spawn(args) {
    const child = spawn(this.binary, args, { env: this.env, stdio: ["pipe", "pipe", "pipe"] });
    child.said = "";
    child.stderr.on("data", (text) => { child.said += text; });
    this.children.push(child);
    return child;
  }

  async announced(child) {
    const lines = createInterface({ input: child.stdout });
    const line = await Promise.race([once(lines, "line"), once(child, "exit").then(([code]) => { throw new Error(`it ended with ${code}: ${child.said}`); })]);
    return JSON.parse(line[0]);
  }

  // azure starts the simulator and imports its tenants.
  async azure(count = 6, ...flags) {
    const tenants = join(this.folder, "tenants.csv");
    const azure = this.spawn(["simulate", "--listen", "127.0.0.1:0", "--tenants", String(count), "--seed", "5", ...flags, "--tenants-out", tenants, "--ca-out", join(this.folder, "ca.pem"), "--until-stdin-closes"]);
    const announced = await this.announced(azure);
    this.run(["vault", "init"]);
    this.run(["tenants", "import", tenants, "--credential", "simulator", "--client-id", announced.client_id, "--secret-stdin", "--yes"], announced.client_secret);
    this.tenants = JSON.parse(this.run(["call", "list_tenants", "--json"])).tenants.map((t) => t.name);
  }

  // keepSecret stores the secret of the application at the issuer.
  keepSecret() {
    this.run(["vault", "add", "signin", "--secret-stdin"], upstream.clientSecret);
  }

  // serve starts the server; people sign in at an issuer, or with passkeys without one.
  async serve({ issuer, config = "", flags = ["--oauth"] } = {}) {
    const port = this.port ??= await freePort();
    this.url = `http://localhost:${port}`;
    const file = join(this.folder, "config.yaml");
    writeFileSync(file, config, { mode: 0o600 });
    const args = ["--config", file, "serve", "--http", `127.0.0.1:${port}`, ...flags, "--public-url", this.url, "--log-level", "warn"];
    if (issuer) args.push("--oidc-issuer", issuer);
    this.server = this.spawn(args);
    await this.announced(this.server);
  }

  async stop() {
    this.server.kill("SIGTERM");
    await once(this.server, "exit");
  }

  close() {
    for (const child of this.children) child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export { upstream };
