// The console before a real browser: people sign in, look around, decide and stop, while
// an agent asks over HTTP for what they decide.
//
//   (cd ../oauth && npm ci)
//   node run.mjs BINARY [FOLDER FOR SCREENSHOTS]
//
// PICTURES is a folder for those of the README. It takes the packages of ../oauth. ONLY runs the checks whose names have it; EVERY_LOOK
// looks at every page in every width and colour.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Person, accessible, launch, passkeys } from "../oauth/browser.mjs";
import { start } from "../oauth/issuer.mjs";
import { call } from "../oauth/products.mjs";
import { World, freePort } from "../oauth/world.mjs";
import { demo } from "./demo.mjs";
import { tabThrough } from "./keyboard.mjs";

const [binary, screenshots] = process.argv.slice(2);
const passphrase = "nineteen horses of a lane";
const everything = "partner.read,partner.write,partner.change,partner.approve";
const flags = ["--console", "--allow-writes", "--approval", "approver"];

// config lets two people of an issuer in: Alice decides, Bob reads in one tenant.
const config = (issuer, tenant) => `
oauth:
  client_id: 11111111-aaaa-4bbb-8ccc-000000000001
  credential: signin
allow-private: ["127.0.0.0/8", "::1/128"]
callers:
  roles: {Partner.Everything: [${everything.replaceAll(",", ", ")}]}
  grants:
    - {name: Alice, issuer: "${issuer}", subject: alice, tenants: ["*"]}
    - {name: Bob, issuer: "${issuer}", subject: bob, tenants: ["${tenant}"], scopes: [partner.read]}
`;

async function main() {
  const failed = [], world = new World(binary), browser = await launch();
  if (screenshots) mkdirSync(screenshots, { recursive: true });
  let issuer;
  try {
    await world.azure(12);
    world.port = await freePort();
    issuer = await start(`http://localhost:${world.port}/signin/callback`);
    world.keepSecret();
    const lane = { world, browser };
    const run = async (checks) => {
      for (const [name, check] of Object.entries(checks).filter(([name]) => name.includes(process.env.ONLY ?? ""))) {
        await check(lane).then(() => console.log(`ok: ${name}`), (error) => {
          failed.push(name);
          console.error(`FAILED: ${name}`, error, world.server?.said.slice(-2000));
        });
      }
    };
    await run(withoutAnything);
    await run(withHostileNames);
    await world.serve({ flags });
    await prepare(lane);
    await run(withPasskeys);
    await world.stop();
    await world.serve({ flags: ["--console"], config: twoKeys });
    await run(withTwoKeys);
    await world.stop();
    await world.serve({ flags, issuer: issuer.url, config: config(issuer.url, world.tenants[0]) });
    lane.alice = await signedIn(lane, "alice");
    await run(withIssuer);
    await world.stop();
    assert.deepEqual(failed, []);
  } finally {
    await browser.close();
    world.close();
    await issuer?.close();
  }
}

// prepare makes an approver with a passphrase, Dora with a passkey, a token for an agent,
// and an audit.
async function prepare(lane) {
  const { world } = lane;
  await world.typed(["users", "add", "chief"], passphrase, passphrase);
  lane.dora = await enrolled(lane, "dora");
  lane.agent = JSON.parse(world.run(["token", "issue", "--for", "agent", "--scope", "partner.read,partner.write,partner.change", "--tenants", "*", "--ttl", "1h", "--json"])).token;
  const audited = await call(world, lane.agent, "audit_partner_links", {});
  assert.equal(audited.status, "done", JSON.stringify(audited));
}

// enrolled is a user of this server with a passkey that was confirmed.
async function enrolled(lane, name, ...flags) {
  const { world } = lane, somebody = await person(lane, name), { page } = somebody;
  const said = await world.typed(["users", "invite", name, "--scopes", everything, ...flags, "--public-url", world.url], "chief", passphrase);
  await passkeys(page);
  await page.goto(/http:\/\/localhost\S+\/invite\S+/.exec(said)[0]);
  await page.getByRole("button", { name: /passkey/i }).click();
  await page.getByRole("heading", { name: "Your account" }).waitFor();
  await world.typed(["users", "confirm", name], "chief", passphrase);
  return somebody;
}

async function person(lane, name, options = {}) {
  const page = await (await lane.browser.newContext(options)).newPage();
  page.setDefaultTimeout(15_000);
  return new Person(page, name);
}

// signedIn is somebody who signed in at the issuer on the way to the console.
async function signedIn(lane, name, options) {
  const somebody = await person(lane, name, options);
  await enter(somebody, `${lane.world.url}/console/`);
  return somebody;
}

// enter opens an address of the console, and signs in where it is asked for.
async function enter(somebody, address) {
  const { page } = somebody;
  await page.goto(String(address));
  for (let step = 0; step < 6 && !await page.locator("header.frame").count(); step++) {
    await somebody.settled();
    await somebody.press("Allow");
    await page.waitForLoadState();
  }
  await page.locator("header.frame").waitFor();
}

// asked is what the agent wants to do in a tenant where nothing is linked, with the
// approval that it waits for.
async function asked(lane, tool = "register_partner", partnerID = "1234567") {
  for (const tenant of lane.world.tenants) {
    const answer = await call(lane.world, lane.agent, tool, { tenant, partner_id: partnerID, reason: "a new customer" });
    if (answer.status === "approval_required") return { tool, tenant, partnerID, id: answer.approval.id };
  }
  throw new Error("the agent found no tenant to write in");
}

const linkIn = async (lane, tenant) => (await call(lane.world, lane.agent, "check_partner_link", { tenant })).link;

const inConsole = (lane, path) => `${lane.world.url}/console/${path}`;

// opened is the page of an approval, on which somebody of the issuer can decide: they
// signed in just now.
async function opened(lane, somebody, wanted) {
  const { page } = somebody, at = inConsole(lane, `approvals/${wanted.id}`);
  await page.goto(at);
  const again = page.getByRole("link", { name: "Sign in again to decide" });
  if (await again.count()) await enter(somebody, await again.getAttribute("href").then((href) => new URL(href, at)));
  await page.getByRole("button", { name: "Approve" }).waitFor();
  return page;
}

// carriedOut presses the button for what was approved, and waits for the write.
async function carriedOut(lane, page, wanted) {
  await page.getByRole("button", { name: "Carry out now" }).click();
  await page.getByText("Carried out.").waitFor();
  const link = await linkIn(lane, wanted.tenant);
  assert.equal(link.partner_id, wanted.partnerID, JSON.stringify(link));
}

// addresses are all pages that links lead to, one of each kind.
async function addresses(page, first) {
  const found = new Map(), open = [first];
  for (let at = open.shift(); at; at = open.shift()) {
    const kind = new URL(at).pathname.replace(/^(\/console\/[a-z]+)\/[^/]+/, "$1/one");
    if (found.has(kind)) continue;
    const answer = await page.goto(at).catch(() => null); // a download is no page
    if (!answer) continue;
    assert.ok(answer.status() < 400, `${at} answers ${answer.status()}`);
    found.set(kind, at);
    open.push(...await page.locator("a[href]").evaluateAll((links) => links.map((a) => a.href).filter((href) => new URL(href).pathname.startsWith("/console/"))));
  }
  return [...found.values()];
}

// looks are widths and colours; all of them only with EVERY_LOOK.
const looks = [["wide", 1280, "light"], ["narrow", 360, "dark"], ["wide-dark", 1280, "dark"], ["narrow-light", 360, "light"]].slice(0, process.env.EVERY_LOOK ? 4 : 2);

async function lookAt(page, name, where) {
  await accessible(page, `${where}, ${name}`);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${where} scrolls sideways, ${name}`);
  const file = new URL(where).pathname.replace(/^\/console\/?/, "").replace(/\W+/g, "-") || "overview";
  if (screenshots) await page.screenshot({ path: join(screenshots, `${file}-${name}.png`), fullPage: true });
}

const withoutAnything = {
  async "the demo is decided with the keyboard and a passkey"(lane) {
    await demo(lane, process.env.PICTURES);
  },
};

const withHostileNames = {
  async "hostile names are text on every page"({ browser }) {
    const world = new World(binary), lane = { world, browser };
    try {
      await world.azure(20, "--fault", "hostile_names=100");
      await world.serve({ flags });
      await prepare(lane);
      await asked(lane, "update_partner", "2345678");
      const { page } = lane.dora, errors = [];
      let all = "";
      page.on("dialog", (dialog) => { errors.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
      page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
      const customers = world.tenants.map((name) => inConsole(lane, `customers/${name}`));
      for (const at of [...await addresses(page, inConsole(lane, "")), ...customers]) {
        await page.goto(at);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${at} scrolls sideways`);
        const text = await page.locator("body").innerText();
        all += text;
        assert.doesNotMatch(text, /[\u0000-\u0008\u001b\u202a-\u202e\u2066-\u2069]/, at);
        assert.equal(await page.locator("main script, main iframe, main img").count(), 0, at);
        assert.ok(text.length < 200_000, `${at} has ${text.length} letters`);
      }
      for (const name of ["<script>", "oc.osotnoc", "[2J", "💥"]) assert.ok(all.includes(name), `no page shows ${name}`);
      assert.deepEqual(errors, []);
    } finally {
      world.close();
    }
  },
};

const withPasskeys = {
  async "a passkey signs in to the console"(lane) {
    const { page } = lane.dora;
    await page.context().clearCookies();
    await enter(lane.dora, inConsole(lane, ""));
    assert.match(await page.locator("header.frame").innerText(), /dora/);
  },

  async "an agent's request is signed with a passkey, carried out and in the record"(lane) {
    const wanted = await asked(lane), { page } = lane.dora;
    await page.goto(inConsole(lane, `approvals/${wanted.id}`));
    await page.getByRole("textbox").fill("signed here");
    await page.getByRole("button", { name: "Approve" }).click();
    await carriedOut(lane, page, wanted);
    await page.goto(inConsole(lane, `record?approval=${wanted.id}`));
    const record = await page.locator("main").innerText();
    assert.ok(record.includes("dora") && record.includes(wanted.tenant), record);
    const exported = lane.world.run(["ledger", "export"]).split("\n").filter((line) => line.includes(wanted.id));
    assert.ok(exported.some((line) => line.includes('"proof"')), exported.join("\n"));
    assert.match(lane.world.run(["ledger", "verify"]), /^No entry was changed, removed or inserted/);
  },

  async "who asked, as whoever, cannot decide"(lane) {
    const wanted = await asked(lane), zoe = await enrolled(lane, "zoe", "--also", "token:agent");
    await zoe.page.goto(inConsole(lane, `approvals/${wanted.id}`));
    await zoe.page.getByText("You asked for this").waitFor();
    assert.equal(await zoe.page.getByRole("button", { name: "Approve" }).count(), 0);
  },

  async "an approver invites somebody with a passkey, who makes one"(lane) {
    const { page } = lane.dora;
    await page.goto(inConsole(lane, "access"));
    await page.getByLabel("Name", { exact: true }).fill("frida");
    await page.getByRole("button", { name: "Invite", exact: true }).click();
    const status = page.locator("form[data-begin] [role=status]").first();
    await status.getByText(/\/invite#/).waitFor();
    const frida = await person(lane, "frida");
    await passkeys(frida.page);
    await frida.page.goto(/http:\S+/.exec(await status.innerText())[0]);
    await frida.page.getByRole("button", { name: /passkey/i }).click();
    await frida.page.getByRole("link", { name: "Open the console" }).click();
    await frida.page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.goto(inConsole(lane, "access"));
    await page.getByLabel("Name", { exact: true }).fill("frida");
    await page.getByRole("button", { name: "Confirm the passkey" }).click();
    await page.getByText("another approver must").waitFor(); // Dora invited her
    await frida.page.goto(inConsole(lane, "approvals"));
    assert.match(lane.world.run(["ledger", "verify"]), /^No entry was changed, removed or inserted/);
  },

  async "what was approved and moved meanwhile is not carried out"(lane) {
    const first = await asked(lane), other = { ...first, partnerID: "7654321" };
    const answer = await call(lane.world, lane.agent, first.tool, { tenant: first.tenant, partner_id: other.partnerID, reason: "another plan" });
    other.id = answer.approval.id;
    const { page } = lane.dora;
    for (const one of [first, other]) {
      await page.goto(inConsole(lane, `approvals/${one.id}`));
      await page.getByRole("button", { name: "Approve" }).click();
      await page.getByRole("button", { name: "Carry out now" }).waitFor();
    }
    await carriedOut(lane, page, other);
    await page.goto(inConsole(lane, `approvals/${first.id}`));
    await page.getByRole("button", { name: "Carry out now" }).click();
    await page.getByText(/linked already|is linked to 7654321|not what it was|changed/i).first().waitFor();
    assert.equal((await linkIn(lane, first.tenant)).partner_id, other.partnerID);
  },
};

// twoKeys is a rule that two people have to sign for.
const twoKeys = `
policy:
  - {name: reading, operations: [read], answer: allow}
  - {name: two keys, operations: [write, destroy], answer: {ask: approver, with: passkey, approvers: 2}}
`;

const withTwoKeys = {
  async "a rule that wants two people has one wait for the other"(lane) {
    const wanted = await asked(lane, "update_partner", "2345678"), { page } = lane.dora, at = inConsole(lane, `approvals/${wanted.id}`);
    await page.goto(at);
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByText("You have approved already").waitFor();
    assert.equal(await page.getByRole("button", { name: "Carry out now" }).count(), 0);
    const erik = await enrolled(lane, "erik");
    await erik.page.goto(at);
    await erik.page.getByText("1 of 2").first().waitFor();
    await erik.page.getByRole("button", { name: "Approve" }).click();
    await carriedOut(lane, erik.page, wanted);
  },
};

const withIssuer = {
  async "an issuer signs in to the console, and a person sees what the grant allows"(lane) {
    const bob = await signedIn(lane, "bob");
    await bob.page.goto(inConsole(lane, "customers"));
    const text = await bob.page.locator("main").innerText();
    assert.ok(text.includes(lane.world.tenants[0]) && !text.includes(lane.world.tenants[1]), text);
    await bob.page.goto(inConsole(lane, `customers/${lane.world.tenants[1]}`));
    await bob.page.getByRole("heading", { name: "Not here" }).waitFor();
  },

  async "every page is accessible and fits"(lane) {
    const wanted = await asked(lane);
    const { page } = lane.alice;
    const all = await addresses(page, inConsole(lane, ""));
    assert.ok(all.some((at) => at.endsWith(wanted.id)), `no link leads to the approval: ${all}`);
    for (const [name, width, colorScheme] of looks) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      for (const at of all) {
        await page.goto(at);
        await lookAt(page, name, at);
      }
    }
    await page.setViewportSize({ width: 320, height: 900 });
    for (const at of all) {
      await page.goto(at);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${at} scrolls sideways at 320 px`);
    }
    await page.setViewportSize({ width: 1280, height: 900 });
    for (const at of all) {
      await page.goto(at);
      await tabThrough(page);
    }
    console.log(`${all.length} pages: ${all.map((at) => new URL(at).pathname).join(" ")}`);
  },

  async "an agent's request is approved by a fresh sign-in and carried out, without JavaScript"(lane) {
    const wanted = await asked(lane);
    const alice = await signedIn(lane, "alice", { javaScriptEnabled: false });
    const { page } = alice;
    for (const path of ["", "customers", `customers/${wanted.tenant}`, "approvals", "freeze"]) {
      const answer = await page.goto(inConsole(lane, path));
      assert.equal(answer.status(), 200, path);
    }
    await page.goto(inConsole(lane, "approvals"));
    await page.locator(`a[href$="${wanted.id}"]`).click();
    await page.getByRole("heading", { level: 1 }).waitFor();
    await opened(lane, alice, wanted);
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByRole("button", { name: "Carry out now" }).click();
    await page.waitForURL(inConsole(lane, `approvals/${wanted.id}`));
    await until(async () => (await linkIn(lane, wanted.tenant)).partner_id === wanted.partnerID, "nothing was written");
    const again = await call(lane.world, lane.agent, wanted.tool, { tenant: wanted.tenant, partner_id: wanted.partnerID });
    assert.equal(again.status, "unchanged", JSON.stringify(again));
  },

  async "an agent's request is approved on a page and carried out by a button"(lane) {
    const wanted = await asked(lane);
    const page = await opened(lane, lane.alice, wanted);
    await page.getByRole("button", { name: "Approve" }).click();
    await carriedOut(lane, page, wanted);
  },

  async "a denial needs a reason, which the agent gets"(lane) {
    const wanted = await asked(lane);
    const page = await opened(lane, lane.alice, wanted);
    await page.getByRole("textbox").fill("not this customer");
    await page.getByRole("button", { name: "Deny" }).click();
    await page.getByText("not this customer").first().waitFor();
    const answer = await call(lane.world, lane.agent, wanted.tool, { tenant: wanted.tenant, partner_id: wanted.partnerID, approval_id: wanted.id });
    assert.match(JSON.stringify(answer.problem), /not this customer/);
  },

  async "a plan that is open on a page is approved on the terminal"(lane) {
    const wanted = await asked(lane);
    const page = await opened(lane, lane.alice, wanted);
    await lane.world.typed(["approvals", "approve", wanted.id, "--approver", "chief"], passphrase);
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByRole("heading", { name: "That did not work" }).waitFor();
    await page.goto(inConsole(lane, `approvals/${wanted.id}`));
    await carriedOut(lane, page, wanted);
  },

  async "a session that was ended from another browser in mid-page decides nothing"(lane) {
    const wanted = await asked(lane);
    const alice = await signedIn(lane, "alice");
    await opened(lane, alice, wanted);
    const other = await signedIn(lane, "alice");
    await other.page.goto(`${lane.world.url}/account`);
    await other.page.getByRole("button", { name: "Sign out all others" }).click();
    await other.page.getByRole("heading", { name: "Your account" }).waitFor();
    lane.alice = other;
    await alice.page.getByRole("button", { name: "Approve" }).click();
    await alice.page.getByText(/sign in/i).first().waitFor();
    const answer = await call(lane.world, lane.agent, wanted.tool, { tenant: wanted.tenant, partner_id: wanted.partnerID, approval_id: wanted.id });
    assert.equal(answer.status, "approval_required", JSON.stringify(answer));
  },

  async "everything is stopped in one place"(lane) {
    const { page } = lane.alice;
    await page.goto(inConsole(lane, "freeze"));
    await page.getByRole("textbox").fill("a lane stops it");
    await page.getByRole("button", { name: "Stop writes", exact: true }).click();
    await page.getByText("Stopped: writes.").waitFor();
    const answer = await call(lane.world, lane.agent, "register_partner", { tenant: lane.world.tenants[0], partner_id: "7654321" });
    assert.equal(answer.problem?.code, "frozen", JSON.stringify(answer));
  },

  async "the record is whole"(lane) {
    assert.match(lane.world.run(["ledger", "verify"]), /^No entry was changed, removed or inserted/);
  },
};

// until asks again until something holds.
async function until(holds, otherwise) {
  for (let tries = 0; tries < 100; tries++) {
    if (await holds()) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  assert.fail(otherwise);
}

await main();
