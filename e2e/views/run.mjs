// Shows what the tools answer in a client that shows views: a host made of MCP Apps' own
// bridge, in headless Chromium, with the program behind it over stdio.
//
//   node run.mjs BINARY [FOLDER FOR SCREENSHOTS]
//
// CHROMIUM names the browser; without it Debian's is taken. PICTURES is a folder for those
// of docs/tour.md: the view, and the report of the same audit.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, stop } from "esbuild";
import { chromium } from "playwright-core";

const [binary, screenshots] = process.argv.slice(2);
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const kind = "text/html;profile=mcp-app";

// Server is the program over stdio, as a client that shows views starts it.
class Server {
  static async start(...flags) {
    const server = new Server();
    server.folder = mkdtempSync(join(tmpdir(), "views-"));
    server.process = spawn(resolve(binary), ["serve", ...flags], { env: { MCP_PARTNER_STATE_DIR: join(server.folder, "state") }, stdio: ["pipe", "pipe", "ignore"] });
    server.waiting = new Map();
    server.last = 0;
    createInterface({ input: server.process.stdout }).on("line", (line) => {
      const message = JSON.parse(line);
      server.waiting.get(message.id)?.(message);
    });
    await server.ask("initialize", { protocolVersion: "2025-11-25", clientInfo: { name: "lane", version: "1" }, capabilities: { extensions: { "io.modelcontextprotocol/ui": { mimeTypes: [kind] } } } });
    server.process.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })}\n`);
    return server;
  }

  async ask(method, params) {
    const id = ++this.last;
    const answer = new Promise((taken) => this.waiting.set(id, taken));
    this.process.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    const { result, error } = await answer;
    assert.ok(result, JSON.stringify(error));
    return result;
  }

  call(name, args) { return this.ask("tools/call", { name, arguments: args }); }

  async stop() {
    this.process.stdin.end();
    await once(this.process, "exit");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

// Files serves what the host is made of, on two ports: two origins.
async function serveFiles() {
  const { outputFiles } = await build({ entryPoints: [here("host.mjs")], bundle: true, format: "esm", write: false });
  await stop(); // it runs a process of its own
  const files = { "/": "<!doctype html><title>host</title><style>html, body { margin: 0; height: 100% }</style><body><script type=module src=/host.js></script>", "/host.js": outputFiles[0].text, "/proxy.html": readFileSync(here("proxy.html"), "utf8") };
  const servers = await Promise.all([0, 1].map(async () => {
    const server = createServer((request, response) => {
      response.setHeader("Content-Type", request.url.endsWith(".js") ? "text/javascript" : "text/html; charset=utf-8");
      response.end(files[request.url] ?? "");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return server;
  }));
  const [host, proxy] = servers.map((server) => `http://127.0.0.1:${server.address().port}`);
  return { host: `${host}/`, proxy: `${proxy}/proxy.html`, close: () => servers.forEach((server) => server.close()) };
}

const everything = { serverTools: {}, openLinks: {} };

// Host is a page of the host, with a view in it.
class Host {
  constructor(page, files, server) { Object.assign(this, { page, files, server, calls: [], links: [], strange: [] }); }

  static async open(context, files, server) {
    const host = new Host(await context.newPage(), files, server);
    host.page.on("request", (request) => { if (!request.url().startsWith("http://127.0.0.1") && !request.url().startsWith("about:")) host.strange.push(request.url()); });
    host.page.on("pageerror", (error) => host.strange.push(String(error)));
    await host.page.exposeFunction("callTool", (params) => { host.calls.push(params); return server.call(params.name, params.arguments); });
    await host.page.exposeFunction("openLink", (url) => { host.links.push(url); });
    await host.page.goto(files.host);
    await host.page.waitForFunction(() => window.show);
    return host;
  }

  // show puts the view of a tool up, and gives it an answer.
  async show({ tool = "audit_partner_links", answer, can = everything, theme = "light", html }) {
    html ??= (await this.server.ask("resources/read", { uri: "ui://mcp-partner/report" })).contents[0].text;
    await this.page.evaluate((given) => window.show(given), { proxy: this.files.proxy, html, tool, can, theme });
    if (answer) await this.page.evaluate((given) => window.bridge.sendToolResult(given), answer);
  }

  get view() { return this.page.frameLocator("iframe").frameLocator("iframe"); }

  // inside runs in the view.
  inside(script, argument) { return this.page.frames().find((frame) => frame.parentFrame()?.parentFrame()).evaluate(script, argument); }

  async accessible(name) {
    await this.page.frames().find((frame) => frame.parentFrame()?.parentFrame()).evaluate(axe);
    const found = await this.inside(() => window.axe.run(document, { resultTypes: ["violations"] }));
    assert.deepEqual(found.violations.map((one) => [one.id, one.nodes[0].html]), [], name);
    assert.ok(await this.inside(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), `${name} scrolls sideways`);
    if (screenshots) await this.page.screenshot({ path: join(screenshots, `${name}.png`) });
  }
}

const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

const checks = {
  async "only a client that shows views is told of them"({ server }) {
    const { tools } = await server.ask("tools/list");
    const viewed = tools.filter((tool) => tool._meta?.ui?.resourceUri).map((tool) => tool.name).sort();
    assert.deepEqual(viewed, ["audit_partner_links", "check_pec_roles"]);
    const { contents } = await server.ask("resources/read", { uri: tools.find((tool) => tool.name === viewed[0])._meta.ui.resourceUri });
    assert.equal(contents[0].mimeType, kind);
    assert.ok(!/src=|href=|url\(|@import/.test(contents[0].text), "the view refers to something");
  },

  async "an audit of a thousand is shown, filtered and paged"({ open, server }) {
    const host = await open();
    const answer = await server.call("audit_partner_links", {});
    await host.show({ answer });
    const { view } = host, first = answer.structuredContent.rows.length;
    await view.locator("#rows").waitFor();
    assert.equal(await view.locator(".lead").textContent(), answer.structuredContent.summary);
    assert.equal(await view.locator("tbody tr").count(), first);
    assert.ok(first < 1000 && answer.structuredContent.next_cursor, "there is one page: this test looks at nothing");
    await view.locator("#more").click();
    await view.locator(`tbody tr:nth-child(${first + 1})`).waitFor();
    assert.deepEqual(host.calls, [{ name: "audit_partner_links", arguments: { run_id: answer.structuredContent.run_id, cursor: answer.structuredContent.next_cursor } }]);
    const all = await view.locator("tbody tr").count();
    await view.locator("#filter").fill(answer.structuredContent.rows[0].tenant.toUpperCase());
    assert.equal(await view.locator("tbody tr:visible").count(), 1);
    assert.match(await view.locator("#shown").textContent(), new RegExp(`^1 of ${all} rows, more are there$`));
    await view.locator("#filter").fill("");
    const chip = view.locator(".chip").first();
    await chip.click();
    assert.ok(await view.locator("tbody tr:visible").count() < all);
    await chip.click();
    assert.equal(await view.locator("svg.bar rect").count(), await view.locator(".chip").count());
    await host.accessible("audit-light");
    await host.page.setViewportSize({ width: 300, height: 700 });
    await host.accessible("audit-narrow");
    await host.page.evaluate(() => window.bridge.setHostContext({ theme: "dark" }));
    assert.ok(await host.inside(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).every((part) => Number(part) < 60)), "the view stays light");
    await host.accessible("audit-dark");
    assert.ok((await host.page.evaluate(() => window.size)).height > 300, "the host is not told how high the view is");
    return host;
  },

  async "everything is reached by keyboard, with the focus to be seen"({ open, server }) {
    const host = await open();
    await host.show({ answer: await server.call("audit_partner_links", {}) });
    await host.view.locator("#rows").waitFor();
    const names = [];
    await host.inside(() => document.body.focus());
    for (let i = 0; i < 30; i++) {
      await host.page.keyboard.press("Tab");
      const at = await host.inside(() => { const on = document.activeElement; return on && on !== document.body ? { name: on.id || on.className, outline: getComputedStyle(on).outlineStyle } : null; });
      if (at) { names.push(at.name); assert.notEqual(at.outline, "none", `${at.name} shows no focus`); }
    }
    for (const want of ["chip", "filter", "scroll", "more"]) assert.ok(names.some((name) => name.includes(want)), `${want} is not reached: ${names}`);
    return host;
  },

  async "hostile text stays text"({ open }) {
    const host = await open(), evil = `<img src=x onerror="window.evil=1"><script>window.evil=2</script>`;
    const row = { tenant: evil, company: evil, state: "unknown", partner_name: evil, partner_id: evil, problem: { message: evil } };
    await host.show({ answer: { content: [], structuredContent: {
      summary: evil, run_id: "r", totals: { unknown: 1, [evil]: 3 }, rows: [row, { ...row, state: evil }], causes: [{ rows: 1, message: evil, hint: evil, command: evil, example: evil }],
    } } });
    await host.view.locator("#rows").waitFor();
    assert.ok((await host.view.locator("tbody").textContent()).includes("<img src=x"), "no hostile name is shown: this test looks at nothing");
    assert.deepEqual(await host.inside(() => [window.evil, document.querySelectorAll("img, a, [onerror], iframe").length, document.scripts.length]), [null, 0, 1].map((v) => v ?? undefined));
    return host;
  },

  async "roles that are not known are not counted as none"({ open }) {
    const host = await open(), row = (tenant, pec_roles) => ({ tenant, state: "linked_expected", pec_roles });
    await host.show({ answer: { content: [], structuredContent: { summary: "s", totals: { linked_expected: 3 }, rows: [
      row("unread", { verdicts: { subscriptions: 0, unknown: 0 }, reason: "forbidden" }),
      row("partly", { verdicts: { subscriptions: 3, eligible_role: 1, unknown: 2 }, reason: "throttled" }),
      row("read", { verdicts: { subscriptions: 2, no_eligible_role: 2 } }),
    ] } } });
    await host.view.locator("#rows").waitFor();
    assert.deepEqual(await host.view.locator("tbody tr td:last-child").allTextContents(), ["unknown (forbidden)", "1 of 3 (2 unknown: throttled)", "0 of 2"]);
    return host;
  },

  async "roles of one customer are shown by subscription"({ open, server }) {
    const host = await open(), answer = await server.call("check_pec_roles", { tenant: "contoso" });
    await host.show({ tool: "check_pec_roles", answer });
    await host.view.locator("#rows").waitFor();
    assert.equal(await host.view.locator("#rows-title").textContent(), "Subscriptions");
    assert.equal(await host.view.locator("tbody tr").count(), answer.structuredContent.pec_roles.rows.length);
    await host.accessible("roles");
    return host;
  },

  async "a problem is shown with what to do"({ open, server }) {
    const host = await open(), answer = await server.call("check_pec_roles", { tenant: "nobody" });
    assert.ok(answer.isError);
    await host.show({ tool: "check_pec_roles", answer });
    await host.view.locator("#where").filter({ hasText: /\S/ }).waitFor();
    assert.equal(await host.view.locator("#rows").isVisible(), false);
    return host;
  },

  async "a host that can nothing is offered nothing, and one that opens links opens the console"({ open, server }) {
    const host = await open(), answer = await server.call("audit_partner_links", {});
    const { contents } = await server.ask("resources/read", { uri: "ui://mcp-partner/report" });
    await host.show({ answer, can: {} });
    await host.view.locator("#rows").waitFor();
    for (const button of ["#more", "#open"]) assert.equal(await host.view.locator(button).isVisible(), false, button);
    await host.show({ answer }); // this server has no address
    await host.view.locator("#rows").waitFor();
    assert.equal(await host.view.locator("#open").isVisible(), false);
    await host.show({ answer, html: contents[0].text.replace(`data-console=""`, `data-console="https://partner.example.com/console/"`) });
    await host.view.locator("#open").click();
    for (let i = 0; i < 100 && host.links.length === 0; i++) await host.page.waitForTimeout(20);
    assert.deepEqual(host.links, [`https://partner.example.com/console/audits/${answer.structuredContent.run_id}`]);
    return host;
  },

  async "a host that answers nothing leaves a page that says so"({ open, server, files }) {
    const host = await open(), { contents } = await server.ask("resources/read", { uri: "ui://mcp-partner/report" });
    await host.page.evaluate((html) => {
      const frame = document.createElement("iframe");
      frame.sandbox = "allow-scripts";
      frame.srcdoc = html;
      document.body.append(frame);
    }, contents[0].text);
    await host.page.frameLocator("iframe").locator(".lead").filter({ hasText: "Waiting for the answer of the tool." }).waitFor();
    return host;
  },
};

// pictures makes those of the tour.
async function pictures(browser, files, folder) {
  const size = { width: 1280, height: 620 }, server = await Server.start("--simulate=40", "--partner-ids", "1234567");
  const host = await Host.open(await browser.newContext({ viewport: size }), files, server);
  await host.show({ answer: await server.call("audit_partner_links", {}) });
  await host.view.locator("#rows").waitFor();
  await host.page.screenshot({ path: join(folder, "view-audit.png") });
  const report = join(server.folder, "report.html"), page = await browser.newPage({ viewport: size });
  execFileSync(resolve(binary), ["audit", "--simulate=40", "--expected", "1234567", "--format", "html", "--output", report], { env: { MCP_PARTNER_STATE_DIR: join(server.folder, "other") }, stdio: "ignore" });
  await page.goto(pathToFileURL(report).href);
  await page.screenshot({ path: join(folder, "report.png") });
  await server.stop();
}

async function main() {
  if (screenshots) mkdirSync(screenshots, { recursive: true });
  const files = await serveFiles(), server = await Server.start("--simulate=1000", "--partner-ids", "1234567");
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  let failed = 0;
  try {
    for (const [name, check] of Object.entries(checks)) {
      const context = await browser.newContext({ viewport: { width: 900, height: 800 } });
      try {
        const host = await check({ server, files, open: () => Host.open(context, files, server) });
        if (host) assert.deepEqual(host.strange, [], "the view reached out or broke");
        console.log(`ok: ${name}`);
      } catch (error) {
        failed++;
        console.error(`FAILED: ${name}`, error);
      }
      await context.close();
    }
    if (process.env.PICTURES) await pictures(browser, files, process.env.PICTURES);
  } finally {
    await browser.close();
    files.close();
    await server.stop();
  }
  process.exitCode = failed ? 1 : 0;
}

await main();
