// From a bare URL to the answer of a tool: other people's clients, a certified issuer
// with the refusals of Entra ID before it, passkeys, and a real browser.
//
//   npm ci
//   node run.mjs BINARY GOSDK [FOLDER FOR SCREENSHOTS]      needs Node 22 or later and openssl; GOSDK is gosdk, built
//
// CHROMIUM names the browser; without it Debian's is taken. ONLY runs the checks whose names have it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { Person, accessible, launch, passkeys } from "./browser.mjs";
import { answered, conforms, signIn, strictly, throughGo, throughInspector, throughMcpRemote, versions } from "./clients.mjs";
import { start } from "./issuer.mjs";
import { call, documents, products, reenact } from "./products.mjs";
import { World, freePort } from "./world.mjs";

const [binary, gosdk, screenshots] = process.argv.slice(2);

// people are who may sign in at the issuer, and what for.
const config = (issuer, tenants) => `
oauth:
  client_id: 11111111-aaaa-4bbb-8ccc-000000000001
  credential: signin
allow-private: ["127.0.0.0/8", "::1/128"]
callers:
  grants:
    - {name: Alice, issuer: "${issuer}", subject: alice, tenants: ["*"]}
    - {name: Bob, issuer: "${issuer}", subject: bob, tenants: ["${tenants[0]}"], scopes: [partner.read]}
`;

async function main() {
  console.log(versions());
  const failed = [], world = new World(binary), browser = await launch();
  const hosts = await documentsHost(world);
  world.env.SSL_CERT_FILE = hosts.authority;
  try {
    await world.azure();
    world.port = await freePort();
    const issuer = await start(`http://localhost:${world.port}/signin/callback`);
    world.keepSecret();
    const serve = () => world.serve({ issuer: issuer.url, config: config(issuer.url, world.tenants) });
    await serve();
    const lane = { world, browser, issuer, serve, base: hosts.base };
    for (const [name, check] of Object.entries(checks).filter(([name]) => name.includes(process.env.ONLY ?? ""))) {
      await check(lane).then(() => console.log(`ok: ${name}`), (error) => {
        failed.push(name);
        console.error(`FAILED: ${name}`, error, world.server.said.slice(-2000));
      });
    }
    await world.stop();
    await issuer.close();
    assert.deepEqual(failed, []);
  } finally {
    await browser.close();
    world.close();
    hosts.close();
  }
}

const person = async (lane, name, options = {}) => new Person(await (await lane.browser.newContext(options)).newPage(), name);
const shows = (seen, pattern) => seen.some((page) => pattern.test(page.text));

const checks = {
  async "the official SDK signs in from the URL alone"(lane) {
    const alice = await person(lane, "alice");
    const { client, seen } = await signIn(lane.world, alice);
    const answer = await answered(client, lane.world.tenants[0]);
    assert.equal(answer.status, "done");
    assert.ok(shows(seen, /127\.0\.0\.1/), "no page shows where the answer goes");
    await client.close();
    assert.ok(!lane.issuer.asked.some((a) => a.query.resource), "a resource was sent to the issuer");
  },

  async "the next SDK signs in by its metadata document"(lane) {
    const alice = await person(lane, "alice");
    const { client } = await signIn(lane.world, alice, { line: "v2", clientMetadataUrl: `${lane.base}/codex.json` });
    assert.equal((await answered(client, lane.world.tenants[1])).status, "done");
    await client.close();
  },

  async "mcp-remote signs in"(lane) {
    const answer = await throughMcpRemote(lane.world, await person(lane, "alice"), lane.world.tenants[0]);
    assert.equal(answer.status, "done");
  },

  async "the protocol's inspector signs in"(lane) {
    const answer = await throughInspector(lane.world, await person(lane, "alice"), lane.world.tenants[0]);
    assert.equal(answer.status, "done");
  },

  async "the Go SDK signs in"(lane) {
    const answer = await throughGo(resolve(gosdk), lane.world, await person(lane, "alice"), lane.world.tenants[0]);
    assert.equal(answer.status, "done");
  },

  async "the Go SDK passes on that a person said no"(lane) {
    const alice = await person(lane, "alice");
    await assert.rejects(throughGo(resolve(gosdk), lane.world, alice, lane.world.tenants[0], { decide: "Deny" }), /access_denied/);
  },

  async "a strict client signs in, refreshes and revokes"(lane) {
    const { world } = lane;
    const { first, second, revoke } = await strictly(world, await person(lane, "alice"));
    assert.notEqual(first.refresh_token, second.refresh_token, "a refresh token did not rotate");
    assert.equal((await call(world, second.access_token, "list_tenants", {})).status, "done");
    await revoke(second.refresh_token);
    assert.equal((await call(world, second.access_token, "list_tenants", {})).refused, 401, "a revoked consent is still good");
    assert.equal((await call(world, first.access_token, "list_tenants", {})).refused, 401);
  },

  async "no is an answer"(lane) {
    const { params } = await signIn(lane.world, await person(lane, "alice"), { options: { decide: "Deny" } });
    assert.equal(params.get("error"), "access_denied");
    assert.equal(params.get("code"), null);
  },

  async "two people with two clients see their own tenants"(lane) {
    const [alice, bob] = await Promise.all(["alice", "bob"].map((name) => person(lane, name)));
    const hers = await signIn(lane.world, alice), his = await signIn(lane.world, bob);
    const listed = async (client) => (await client.callTool({ name: "list_tenants", arguments: {} })).structuredContent.tenants.map((t) => t.name).sort();
    assert.deepEqual(await listed(hers.client), [...lane.world.tenants].sort());
    assert.deepEqual(await listed(his.client), [lane.world.tenants[0]]);
    const { structuredContent: foreign } = await his.client.callTool({ name: "check_partner_link", arguments: { tenant: lane.world.tenants[1] } });
    assert.equal(foreign.problem.code, "unknown_tenant");
    await Promise.all([hers.client.close(), his.client.close()]);
  },

  // It also empties the count of registrations, of which one address has 20 at once.
  async "a restart of the server signs nobody out"(lane) {
    const { second } = await strictly(lane.world, await person(lane, "alice"));
    await lane.world.stop();
    await lane.serve();
    assert.equal((await call(lane.world, second.access_token, "list_tenants", {})).status, "done");
  },

  async "the pages work without scripts, and axe-core finds nothing on them"(lane) {
    const plain = await person(lane, "alice", { javaScriptEnabled: false });
    const { client } = await signIn(lane.world, plain);
    assert.equal((await answered(client, lane.world.tenants[0])).status, "done");
    await client.close();
    for (const [name, options] of Object.entries({ wide: { viewport: { width: 1280, height: 900 } }, narrow: { viewport: { width: 360, height: 740 }, colorScheme: "dark" } })) {
      const watched = await person(lane, "alice", options);
      let n = 0;
      watched.before = async (page) => {
        if (!page.url().startsWith(lane.world.url)) return;
        await accessible(page, `${await page.title()}, ${name}`);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${await page.title()} scrolls sideways, ${name}`);
        if (screenshots) await page.screenshot({ path: join(screenshots, `${name}-${++n}.png`), fullPage: true });
      };
      await (await signIn(lane.world, watched)).client.close();
      assert.ok(!screenshots || n >= 2);
    }
  },

  async "who left is out at the next refresh"(lane) {
    const { world, issuer } = lane;
    const { second } = await strictly(world, await person(lane, "carol-leaves")).catch(() => ({}));
    assert.equal(second, undefined, "somebody without a grant got tokens");
    const tokens = await strictly(world, await person(lane, "alice"));
    issuer.disabled.add("alice");
    const response = await fetch(tokens.server.token_endpoint, { method: "POST", body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: tokens.second.refresh_token, client_id: tokens.client.client_id }) });
    issuer.disabled.delete("alice");
    assert.equal(response.status, 400);
    assert.equal((await response.json()).error, "invalid_grant");
    assert.equal((await call(world, tokens.second.access_token, "list_tenants", {})).refused, 401, "the family of somebody who left is still good");
  },

  async "the record says what happened, and no secret"(lane) {
    const text = lane.world.run(["ledger", "export"]);
    for (const said of ["consent", "client", "sign-in"]) assert.match(text, new RegExp(`"kind":"${said}"`));
    assert.doesNotMatch(text, /mpt_[A-Za-z0-9_-]{43}/);
    assert.match(lane.world.run(["ledger", "verify"]), /^No entry was changed, removed or inserted/);
  },

  async "the protocol's suite for authorization servers passes"(lane) {
    const port = await freePort();
    const client = JSON.parse(lane.world.run(["clients", "add", "suite", "--redirect", `http://127.0.0.1:${port}/callback`, "--json"]));
    const { code, said } = await conforms(lane.world, await person(lane, "alice"), port, client.client_id);
    assert.equal(code, 0, said);
    assert.doesNotMatch(said, /[1-9]\d* failed/);
  },
};

for (const [name, product] of Object.entries(products)) {
  checks[`${name} signs in`] = async (lane) => {
    const answer = await reenact(lane.world, await person(lane, "alice"), product, lane.base, lane.world.tenants[0]);
    assert.equal(answer.status, "done", JSON.stringify(answer));
  };
}

checks["a person with a passkey signs in, and no script means no sign-in"] = async ({ world, browser }) => {
  await world.stop();
  await world.serve({ config: "oauth: {}\n" });
  const link = /http:\/\/localhost\S+\/invite\S+/.exec(await world.typed(["users", "invite", "dora", "--scopes", "partner.read", "--public-url", world.url], "dora"))[0];
  const dora = await person({ browser }, "dora");
  await passkeys(dora.page);
  await dora.page.goto(link);
  await dora.page.getByRole("button", { name: /passkey/i }).click();
  await dora.page.getByRole("heading", { name: "Your account" }).waitFor();
  const { client } = await signIn(world, dora);
  assert.equal((await answered(client, world.tenants[0])).status, "done");
  await client.close();
  const again = await person({ browser }, "mallory");
  await again.page.goto(link);
  await again.page.getByRole("button", { name: /passkey/i }).click();
  await again.page.getByText("ask the operator of this server for a new one").waitFor();
  const plain = await person({ browser }, "dora", { javaScriptEnabled: false });
  await plain.page.goto(`${world.url}/signin`);
  assert.match(await plain.page.locator("body").innerText(), /JavaScript/);
};

// documentsHost serves the metadata documents of clients over TLS.
async function documentsHost(world) {
  const key = join(world.folder, "host.key"), certificate = join(world.folder, "host.pem");
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
    "-keyout", key, "-out", certificate], { stdio: "pipe" });
  let served = {};
  const server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (request, response) => {
    response.setHeader("content-type", "application/json");
    response.statusCode = served[request.url] ? 200 : 404;
    response.end(JSON.stringify(served[request.url] ?? {}));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const base = `https://localhost:${server.address().port}`;
  served = documents(base);
  return { base, authority: certificate, close: () => server.close() };
}

await main();
