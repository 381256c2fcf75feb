// Opens the HTML report of a simulated fleet in headless Chromium, as a person
// would, with partners and a run that have hostile names.
//
//   node run.mjs BINARY [SCREENSHOT.png]
//
// CHROMIUM names the browser; without it Debian's is taken.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [binary, screenshot] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "report-"));
const file = join(folder, "report.html");
const label = `<script>window.evil=1</script><img src=x onerror="window.evil=2">`;

async function report() {
  const program = resolve(binary), tenants = join(folder, "tenants.csv");
  const world = spawn(program, [
    "simulate", "--listen", "127.0.0.1:0", "--tenants", "60", "--seed", "5", "--fault", "hostile_names=60", "--fault", "foreign_principal=10",
    "--fault", "deleted_200=60", "--tenants-out", tenants, "--ca-out", join(folder, "ca.pem"), "--until-stdin-closes",
  ], { stdio: ["pipe", "pipe", "inherit"] });
  const announced = JSON.parse(String((await once(world.stdout, "data"))[0]).split("\n")[0]);
  const run = (args, input) => execFileSync(program, args, { input, env: { MCP_PARTNER_STATE_DIR: join(folder, "state") }, stdio: ["pipe", "inherit", "inherit"] });
  run(["vault", "init"]);
  run(["tenants", "import", tenants, "--credential", "simulator", "--client-id", announced.client_id, "--secret-stdin", "--yes"], announced.client_secret);
  run(["audit", "--expected", "1234567", "--stale-after-days", "500", "--label", label, "--format", "html", "--output", file]);
  world.stdin.end();
  assert.equal(statSync(file).mode & 0o777, 0o600, "the report is open to others");
}

const checks = {
  async "shows what was found, and nothing of it runs"(page) {
    assert.match(await page.title(), /^Partner links, [0-9]+ [A-Z][a-z]+ [0-9]{4}: /);
    assert.ok((await page.title()).endsWith(`: ${label} (expected ID 1234567)`));
    assert.equal(await page.evaluate(() => window.evil), undefined);
    assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll("img, a, iframe, link, object, embed, [onerror], [style]:not([style=''])")].map((e) => e.outerHTML)), []);
    assert.equal(await page.locator("script").count(), 1);
    assert.equal(await page.locator("#table tbody tr").count(), 60);
    assert.ok((await page.locator("#table tbody").textContent()).includes("=HYPERLINK"), "no hostile name is shown: this test looks at nothing");
    const bar = await page.locator("svg.bar rect").count();
    assert.equal(bar, await page.locator(".chip:not(.stale)").count());
    const widths = await page.locator("svg.bar rect").evaluateAll((all) => all.map((rect) => rect.getBoundingClientRect().width));
    assert.ok(widths.every((width) => width > 4), `a state cannot be seen in the bar: ${widths}`);
  },

  async "sorts by every column, both ways"(page) {
    for (const header of await page.locator("#table thead th:visible").all()) {
      const column = await header.evaluate((cell) => cell.cellIndex);
      for (const [direction, sign] of [["ascending", 1], ["descending", -1]]) {
        await header.locator("button").click();
        assert.equal(await header.getAttribute("aria-sort"), direction);
        const texts = await page.locator("#table tbody tr").evaluateAll((rows, n) => rows.map((row) => row.cells[n].textContent.trim()), column);
        const order = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
        const filled = texts.filter(Boolean);
        assert.deepEqual(filled, [...filled].sort((a, b) => sign * order.compare(a, b)));
        assert.deepEqual(texts.slice(0, filled.length), filled, "empty cells do not come last");
      }
    }
  },

  async "filters by words and by state"(page) {
    const visible = () => page.locator("#table tbody tr:visible").count();
    await page.getByRole("searchbox").fill("CONTOSO not");
    assert.ok(await visible() < 60);
    await page.getByRole("searchbox").fill("no such tenant anywhere");
    assert.equal(await visible(), 0);
    assert.ok(await page.getByText("No row matches the filter.").isVisible());
    await page.getByRole("searchbox").fill("");
    assert.equal(await visible(), 60);
    for (const chip of await page.locator(".chip[data-state]").all()) {
      const state = await chip.getAttribute("data-state"), count = Number(await chip.locator("b").textContent());
      await chip.click();
      assert.equal(await chip.getAttribute("aria-pressed"), "false");
      assert.equal(await visible(), 60 - count, `without ${state}`);
      assert.equal(await page.locator("output").textContent(), `${60 - count} of 60 rows`);
      await chip.press("Enter");
      assert.equal(await visible(), 60);
    }
    const stale = page.locator(".chip[data-stale]");
    await stale.click();
    assert.equal(await visible(), Number(await stale.locator("b").textContent()));
    await stale.click();
  },

  async "leaves out columns that say nothing"(page) {
    const headers = await page.locator("#table thead th:visible").allTextContents();
    assert.ok(headers.includes("Partner ID") && !headers.includes("Owner"), `${headers}`);
  },

  async "prints all rows and no controls"(page) {
    await page.emulateMedia({ media: "print" });
    assert.ok(!(await page.getByRole("searchbox").isVisible()));
    assert.ok(await page.locator("#table tbody tr").last().isVisible());
    const pdf = await page.pdf({ format: "A4", landscape: true });
    assert.ok(pdf.length > 10_000);
    await page.emulateMedia({ media: "screen" });
  },

  async "is legible in the dark and the light"(page) {
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      const faint = await page.evaluate(contrastBelow, 4.5);
      assert.deepEqual(faint, [], colorScheme);
    }
    await page.emulateMedia({ colorScheme: "light" });
  },

  // The last one: what it tries is an error in the console.
  async "is held by its policy"(page) {
    const blocked = await page.evaluate(async () => {
      const seen = [];
      document.addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
      const script = document.createElement("script");
      script.textContent = "window.evil = 3";
      const style = document.createElement("style");
      style.textContent = "body { display: none }";
      const image = document.createElement("img");
      image.src = "https://evil.example/pixel";
      document.body.append(script, style, image);
      await fetch("https://evil.example/").catch(() => {});
      await new Promise((done) => setTimeout(done, 100));
      return { seen, evil: window.evil, display: getComputedStyle(document.body).display };
    });
    assert.equal(blocked.evil, undefined);
    assert.notEqual(blocked.display, "none");
    for (const directive of ["script-src-elem", "style-src-elem", "img-src", "connect-src"]) {
      assert.ok(blocked.seen.includes(directive), `${directive} was not stopped: ${blocked.seen}`);
    }
  },
};

// contrastBelow runs in the page: texts whose contrast with their ground is below
// what WCAG AA asks for.
function contrastBelow(least) {
  const numbers = (color) => color.match(/[\d.]+/g).map(Number);
  const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = (color) => { const [r, g, b] = numbers(color).map(channel); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const groundOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if ((numbers(color)[3] ?? 1) > 0) return color;
    }
    return getComputedStyle(document.documentElement).backgroundColor;
  };
  const faint = new Set();
  for (const element of document.querySelectorAll("h1, p, dt, dd, th, td, small, button, code, label, output, span")) {
    if (element.textContent.trim() === "" || element.offsetParent === null) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(groundOf(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < least) faint.add(`${element.tagName} ${element.className}: ${contrast.toFixed(2)}`);
  }
  return [...faint];
}

async function main() {
  await report();
  assert.ok(!readFileSync(file, "utf8").includes(folder), "the report names a folder of this machine");
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
    const said = [], requests = [];
    page.on("console", (message) => said.push(message.text()));
    page.on("pageerror", (error) => said.push(String(error)));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(pathToFileURL(file).href);
    if (screenshot) await page.screenshot({ path: screenshot });
    for (const [name, check] of Object.entries(checks)) {
      if (name === "is held by its policy") {
        assert.deepEqual(said, [], "the console is not silent");
        assert.deepEqual(requests, [pathToFileURL(file).href], "the page asked for something");
      }
      await check(page);
      console.log(`ok: ${name}`);
    }
  } finally {
    await browser.close();
  }
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
