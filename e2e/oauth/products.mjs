// The sign-in of products, re-enacted from what is published of them: how each makes
// itself known, where it wants its answer, and what it insists on. Their real requests
// were not seen.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";

export const products = {
  "claude.ai by its metadata document": { document: "claude", redirect: "https://claude.ai/api/mcp/auth_callback", insists: (m) => m.client_id_metadata_document_supported && m.token_endpoint_auth_methods_supported.includes("none") },
  "claude.ai by registration": { redirect: "https://claude.com/api/mcp/auth_callback" },
  "claude.ai with an ID and a secret": { redirect: "https://claude.ai/api/mcp/auth_callback", method: "client_secret_post" },
  "Claude Code": { redirect: "http://localhost:51234/callback", register: "http://localhost:51234/callback" },
  "VS Code by its metadata document": { document: "vscode", redirect: "http://127.0.0.1:33418/" },
  "VS Code on another port": { register: "http://127.0.0.1:33418/", redirect: "http://127.0.0.1:40123/" },
  "VS Code on the web": { redirect: "https://vscode.dev/redirect" },
  "Cursor": { redirect: "cursor://anysphere.cursor-mcp/oauth/callback" },
  "Cursor on this machine": { redirect: "http://localhost:8787/callback" },
  "Cursor's agents": { redirect: "https://www.cursor.com/agents/mcp/oauth/callback" },
  "Copilot Studio": { redirect: "https://global.consent.azure-apim.net/redirect/partnerlink-0123456789abcdef", method: "client_secret_post" },
  "Codex by a metadata document": { document: "codex", redirect: "http://127.0.0.1:49152/callback" },
};

// documents are the client ID metadata documents that the products' hosts serve, at a
// base that stands in for them.
export function documents(base) {
  const of = (name, redirects) => ({
    client_id: `${base}/${name}.json`, client_name: name, redirect_uris: redirects, grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], token_endpoint_auth_method: "none",
  });
  return {
    "/claude.json": of("claude", ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"]),
    "/vscode.json": of("vscode", ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"]),
    "/codex.json": of("codex", ["http://127.0.0.1/callback"]),
  };
}

// reenact goes from the bare URL to the answer of a tool.
export async function reenact(world, person, product, base, tenant) {
  const unauthorized = await fetch(`${world.url}/mcp`, { method: "POST", headers: { "content-type": "application/json", accept: "application/json, text/event-stream" }, body: "{}" });
  assert.equal(unauthorized.status, 401);
  const where = /resource_metadata="([^"]+)"/.exec(unauthorized.headers.get("www-authenticate"))[1];
  const resource = await json(where);
  assert.equal(resource.resource, `${world.url}/mcp`);
  const [issuer] = resource.authorization_servers;
  const server = await json(new URL(`/.well-known/oauth-authorization-server${new URL(issuer).pathname.replace(/^\/$/, "")}`, issuer));
  assert.equal(server.issuer, issuer);
  assert.ok(server.code_challenge_methods_supported.includes("S256"), "clients refuse without it");
  assert.ok(product.insists?.(server) ?? true, "the product would not take this server");
  const client = product.document ? { client_id: `${base}/${product.document}.json` } : await register(server, product);
  const verifier = randomBytes(32).toString("base64url"), state = randomBytes(8).toString("hex");
  const at = new URL(server.authorization_endpoint);
  for (const [name, value] of Object.entries({
    client_id: client.client_id, redirect_uri: product.redirect, response_type: "code", state, scope: resource.scopes_supported.join(" "), resource: resource.resource,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
  })) at.searchParams.set(name, value);
  const answer = await ledTo(person, product.redirect, () => person.allow(at));
  assert.equal(answer.searchParams.get("state"), state);
  assert.equal(answer.searchParams.get("iss"), issuer);
  const form = { grant_type: "authorization_code", code: answer.searchParams.get("code"), redirect_uri: product.redirect, code_verifier: verifier, client_id: client.client_id, resource: resource.resource };
  if (product.method) form.client_secret = client.client_secret;
  const tokens = await json(server.token_endpoint, { method: "POST", body: new URLSearchParams(form) });
  assert.equal(tokens.token_type.toLowerCase(), "bearer");
  assert.ok(tokens.refresh_token && tokens.expires_in <= 900);
  return call(world, tokens.access_token, "check_partner_link", { tenant });
}

async function register(server, product) {
  const client = await json(server.registration_endpoint, {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({
      client_name: "A product", redirect_uris: [product.register ?? product.redirect], grant_types: ["authorization_code", "refresh_token"], response_types: ["code"],
      token_endpoint_auth_method: product.method ?? "none",
    }),
  });
  assert.equal(Boolean(client.client_secret), Boolean(product.method));
  return client;
}

// ledTo returns the address that the browser was sent to, which may be of a product that
// is not reached from here, or of a scheme that no browser knows.
export async function ledTo(person, redirect, act) {
  let found;
  const look = (response) => {
    const to = response.headers().location;
    if (to?.startsWith(redirect)) found = new URL(to);
  };
  person.page.on("response", look);
  try {
    await act();
    for (let tries = 0; !found && tries < 100; tries++) await person.page.waitForTimeout(50);
  } finally {
    person.page.off("response", look);
  }
  assert.ok(found, `nothing led to ${redirect}`);
  return found;
}

export async function call(world, token, name, given) {
  const response = await fetch(`${world.url}/mcp`, {
    method: "POST", headers: { authorization: `Bearer ${token}`, "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: given } }),
  });
  if (response.status !== 200) return { refused: response.status, challenge: response.headers.get("www-authenticate") };
  const text = await response.text();
  const line = text.startsWith("{") ? text : text.split("\n").find((one) => one.startsWith("data: ")).slice(6);
  return JSON.parse(line).result.structuredContent;
}

export async function json(url, init) {
  const response = await fetch(url, init), text = await response.text();
  assert.ok(response.ok, `${url} answered ${response.status}: ${text}`);
  return JSON.parse(text);
}
