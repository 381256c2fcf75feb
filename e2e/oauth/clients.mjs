// Other people's clients, each from a bare URL: what they find out, register and send
// is their own code. A person in a browser does the rest.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import * as next from "@modelcontextprotocol/client";
import * as strict from "oauth4webapi";
import { callback } from "./browser.mjs";
import { freePort } from "./world.mjs";

const { resolve } = createRequire(import.meta.url);

// Provider is what an application gives to the official SDK: a place for what it is
// told, and a browser.
class Provider {
  constructor(redirectUrl, metadata = {}, clientMetadataUrl) {
    this.redirectUrl = redirectUrl;
    this.clientMetadata = { client_name: "A client of the official SDK", redirect_uris: [redirectUrl], grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], token_endpoint_auth_method: "none", ...metadata };
    this.clientMetadataUrl = clientMetadataUrl;
  }
  state() { return (this.sent = crypto.randomUUID()); }
  clientInformation() { return this.client; }
  saveClientInformation(client) { this.client = client; }
  tokens() { return this.given; }
  saveTokens(tokens) { this.given = tokens; }
  redirectToAuthorization(url) { this.authorize = url; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
}

// signIn connects with a client of the SDK, of either line, until a tool can be called.
// redirect is a fixed address of a product, or undefined for a port of its own.
export async function signIn(world, person, { line = "v1", clientMetadataUrl, metadata, options } = {}) {
  const waiting = await callback();
  const [make, transportOf, refused] = line === "v1"
    ? [() => new Client({ name: "lane", version: "1" }), (o) => new StreamableHTTPClientTransport(new URL(`${world.url}/mcp`), o), UnauthorizedError]
    : [() => new next.Client({ name: "lane", version: "1" }), (o) => new next.StreamableHTTPClientTransport(new URL(`${world.url}/mcp`), o), next.UnauthorizedError];
  const authProvider = new Provider(waiting.url, metadata, clientMetadataUrl);
  try {
    const transport = transportOf({ authProvider });
    await assert.rejects(make().connect(transport), (e) => e instanceof refused || e.cause instanceof refused || /unauthorized/i.test(String(e)));
    const answered = waiting.answer();
    const seen = await person.allow(authProvider.authorize, options);
    const params = await answered;
    assert.equal(params.get("state"), authProvider.sent);
    assert.equal(params.get("iss"), world.url, "the answer does not say who it is from");
    if (options?.decide === "Deny") return { params, seen, authProvider };
    await (line === "v1" ? transport.finishAuth(params.get("code")) : transport.finishAuth(params));
    const client = make();
    await client.connect(transportOf({ authProvider }));
    return { client, authProvider, seen };
  } finally {
    waiting.close();
  }
}

export async function answered(client, tenant) {
  const result = await client.callTool({ name: "check_partner_link", arguments: { tenant } });
  return result.structuredContent ?? result;
}

// throughMcpRemote runs the program that clients without OAuth put in between.
export async function throughMcpRemote(world, person, tenant) {
  const child = program(world, "mcp-remote", "dist/proxy.js", [`${world.url}/mcp`, "--transport", "http-only"], { MCP_REMOTE_CONFIG_DIR: join(world.folder, "mcp-remote") });
  const answers = linesOf(child.stdout);
  send(child, { jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "lane", version: "1" } } });
  await person.allow(await child.address);
  await answers.of(1);
  send(child, { jsonrpc: "2.0", method: "notifications/initialized" });
  send(child, { jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "check_partner_link", arguments: { tenant } } });
  const { result } = await answers.of(2);
  child.kill("SIGTERM");
  return result.structuredContent;
}

// throughInspector runs the command line of the protocol's inspector.
export async function throughInspector(world, person, tenant) {
  const redirect = `http://127.0.0.1:${await freePort()}/oauth/callback`;
  const child = program(world, "@modelcontextprotocol/inspector", "clients/launcher/build/index.js", ["--cli", `${world.url}/mcp`, "--transport", "http", "--callback-url", redirect,
    "--method", "tools/call", "--tool-name", "check_partner_link", "--tool-args-json", JSON.stringify({ tenant })],
    { MCP_STORAGE_DIR: join(world.folder, "inspector"), MCP_INSPECTOR_SECRET_STORE: "file", MCP_AUTO_OPEN_ENABLED: "true" });
  const printed = text(child.stdout);
  await person.allow(await child.address);
  const answer = await printed;
  assert.ok(answer, child.said);
  return JSON.parse(answer).structuredContent;
}

// program starts a client whose person has to open the address that it says on stderr.
function program(world, name, file, args, env) {
  const child = spawn(process.execPath, [join(resolve(`${name}/package.json`), "..", file), ...args], {
    stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, HOME: world.folder, BROWSER: "true", DISPLAY: "", ...env },
  });
  world.children.push(child);
  child.said = "";
  child.address = new Promise((found, failed) => {
    child.stderr.on("data", (part) => {
      child.said += part;
      const match = /https?:\/\/\S+\/oauth\/authorize\S+(?=\s)/.exec(child.said);
      if (match) found(match[0]);
    });
    child.once("close", (code) => failed(new Error(`${name} ended with ${code}: ${child.said}`)));
  });
  child.address.catch(() => {}); // only who waits for it is concerned
  return child;
}

// throughGo runs a program of the official Go SDK.
export async function throughGo(program, world, person, tenant, options) {
  const child = spawn(program, [`${world.url}/mcp`, tenant], { stdio: ["ignore", "pipe", "pipe"] });
  world.children.push(child);
  const said = text(child.stderr);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => (await lines.next()).value ?? assert.fail(`it ended early: ${await said}`);
  await person.allow(await line(), options);
  return JSON.parse(await line());
}

function send(child, message) { child.stdin.write(`${JSON.stringify(message)}\n`); }

function linesOf(stream) {
  const got = new Map(), wanted = new Map();
  let rest = "";
  stream.on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines.filter(Boolean)) {
      const message = JSON.parse(line);
      got.set(message.id, message);
      wanted.get(message.id)?.(message);
    }
  });
  return { of: (id) => got.has(id) ? Promise.resolve(got.get(id)) : new Promise((done) => wanted.set(id, done)) };
}

// strictly walks through with a client that accepts nothing that the RFCs do not allow,
// and returns the tokens before and after a refresh.
export async function strictly(world, person) {
  const waiting = await callback();
  try {
    return await strictlyAt(waiting, world, person);
  } finally {
    waiting.close();
  }
}

async function strictlyAt(waiting, world, person) {
  const insecure = { [strict.allowInsecureRequests]: true }, issuer = new URL(world.url);
  const server = await strict.processDiscoveryResponse(issuer, await strict.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure }));
  const client = await strict.processDynamicClientRegistrationResponse(await strict.dynamicClientRegistrationRequest(server, {
    client_name: "A strict client", redirect_uris: [waiting.url], token_endpoint_auth_method: "none", grant_types: ["authorization_code", "refresh_token"], response_types: ["code"],
  }, insecure));
  const verifier = strict.generateRandomCodeVerifier(), state = strict.generateRandomState();
  const at = new URL(server.authorization_endpoint);
  for (const [name, value] of Object.entries({
    client_id: client.client_id, redirect_uri: waiting.url, response_type: "code", state, scope: "partner.read", resource: `${world.url}/mcp`,
    code_challenge: await strict.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  })) at.searchParams.set(name, value);
  const answer = waiting.answer();
  await person.allow(at);
  const params = strict.validateAuthResponse(server, client, await answer, state);
  const first = await strict.processAuthorizationCodeResponse(server, client,
    await strict.authorizationCodeGrantRequest(server, client, strict.None(), params, waiting.url, verifier, insecure));
  const second = await strict.processRefreshTokenResponse(server, client,
    await strict.refreshTokenGrantRequest(server, client, strict.None(), first.refresh_token, insecure));
  const revoke = async (token) => strict.processRevocationResponse(await strict.revocationRequest(server, client, strict.None(), token, insecure));
  return { server, client, first, second, revoke };
}

// conforms runs the protocol's own suite for authorization servers.
export async function conforms(world, person, port, clientID) {
  const suite = spawn(process.execPath, [join(resolve("conformance-2026/package.json"), "../dist/index.js"), "authorization", "--url", world.url, "--client-id", clientID,
    "--resource", `${world.url}/mcp`, "--port", String(port)], { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NO_COLOR: "1" } });
  world.children.push(suite);
  let said = "", opened = new Set();
  const look = (text) => {
    said += text;
    for (const [address] of said.matchAll(/http:\/\/localhost:\d+\/oauth\/authorize\S+(?=\s)/g)) {
      if (opened.has(address)) continue;
      opened.add(address);
      person.allow(address).catch((error) => { said += `\n${error}`; suite.kill(); });
    }
  };
  suite.stdout.on("data", look);
  suite.stderr.on("data", look);
  const [code] = await once(suite, "exit");
  return { code, said };
}

export const versions = () => ["@modelcontextprotocol/sdk", "@modelcontextprotocol/client", "@modelcontextprotocol/inspector", "mcp-remote", "oauth4webapi", "oidc-provider"]
  .map((name) => `${name} ${JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version}`).join(", ");
