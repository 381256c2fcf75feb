// A person before a real browser: reads what the pages say and presses their buttons.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

// callback is where a client waits for its answer, on a port of its own.
export async function callback(path = "/callback") {
  const server = createServer((request, response) => {
    const at = new URL(request.url, "http://127.0.0.1");
    response.end("You can close this page.");
    if (at.pathname === path) server.emit("answer", at.searchParams);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  return {
    port, url: `http://127.0.0.1:${port}${path}`,
    answer: () => once(server, "answer").then(([params]) => params),
    close: () => { server.closeAllConnections(); server.close(); },
  };
}

// accessible fails for a page that axe-core finds something on.
export async function accessible(page, what) {
  const found = await page.evaluate(`(() => { ${axe}; return axe.run(document, { resultTypes: ["violations"] }); })()`).catch(async () => {
    // The page's policy keeps foreign scripts out, so the browser brings it along.
    const session = await page.context().newCDPSession(page);
    const { result } = await session.send("Runtime.evaluate", { expression: `${axe}; axe.run(document).then((r) => JSON.stringify(r))`, awaitPromise: true, returnByValue: true });
    return JSON.parse(result.value);
  });
  assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`), [], what);
}

// passkeys gives a browser's page an authenticator that answers by itself.
export async function passkeys(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  await devtools.send("WebAuthn.addVirtualAuthenticator", { options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
}

// Person presses the buttons that stand on the pages of the server and of the issuer.
export class Person {
  constructor(page, name) {
    this.page = page;
    this.name = name;
    this.seen = [];
  }

  // allow goes from an address to authorize to the client's callback, and returns what
  // stood on the way.
  async allow(address, { decide = "Allow", narrow } = {}) {
    await this.page.goto(String(address));
    for (let step = 0; step < 8; step++) {
      await this.settled();
      await this.before?.(this.page);
      this.seen.push({ title: await this.page.title(), text: await this.page.locator("body").innerText(), url: this.page.url() });
      const done = await this.press(decide, narrow);
      if (done) return this.seen;
    }
    throw new Error(`this led nowhere: ${JSON.stringify(this.seen, null, 1)}`);
  }

  // settled waits for a page with something to press: some lead on by themselves.
  async settled() {
    await this.page.locator("button:visible, input[name=login]").first().waitFor();
  }

  async press(decide, narrow) {
    const { page } = this;
    if (await page.locator("input[name=login]").count()) {
      await page.locator("input[name=login]").fill(this.name);
      await page.locator("input[name=password]").fill("any");
      await page.locator("button[type=submit]").click();
      return false;
    }
    if (await page.getByRole("button", { name: decide, exact: true }).count() && await page.getByRole("button", { name: "Allow", exact: true }).count()) {
      await narrow?.(page);
      await page.getByRole("button", { name: decide, exact: true }).click();
      return true;
    }
    const onward = page.getByRole("button", { name: /continue|sign in/i });
    if (await onward.count()) {
      await onward.first().click();
      return false;
    }
    const before = page.url();
    await page.getByRole("button", { name: /passkey/i }).click();
    await page.waitForURL((url) => String(url) !== before); // a script leads on
    return false;
  }
}
