// `mcp-partner demo --console`, as somebody tries it for the first time, with the keyboard
// alone: a passkey, an approval, the write, its record. It makes the README's pictures.
import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { passkeys } from "../oauth/browser.mjs";
import { press, reach } from "./keyboard.mjs";

// opened returns the link and the addresses that the demo prints.
async function opened(world) {
  const child = world.spawn(["demo", "--console"]);
  let said = "";
  for await (const text of child.stdout) {
    said += text;
    if (said.includes("Ctrl-C")) break;
  }
  const [link] = /http:\/\/localhost:\d+\/invite#\S+/.exec(said) ?? [];
  assert.ok(link, `${said} ${child.said}`);
  const [approval] = /http:\/\/localhost:\d+\/console\/approvals\/\w+/.exec(said);
  return { child, link, approval, console: new URL("/console/", link).href };
}

export async function demo({ world, browser }, pictures) {
  const { child, link, approval, console } = await opened(world);
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: "light", timezoneId: "UTC" });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  await passkeys(page);
  const picture = async (name) => pictures && page.screenshot({ path: join(pictures, `console-${name}.png`) });

  await page.goto(link);
  await press(page, "Make a passkey");
  await page.getByRole("heading", { name: "Your account" }).waitFor();
  await press(page, "Open the console");
  await page.waitForURL(console);
  await picture("overview");

  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter"); // "Skip to the page" comes first
  assert.equal(new URL(page.url()).hash, "#main");
  await page.goto(console);
  await press(page, /^Approvals/);
  await page.waitForURL(`${console}approvals`);
  await press(page, /contoso/);
  await page.waitForURL(approval);
  await picture("approval");

  await reach(page, "reason");
  await page.keyboard.type("asked them on the phone");
  await press(page, "Approve");
  await page.getByRole("button", { name: "Carry out now" }).waitFor();
  await press(page, "Carry out now");
  await page.getByText("Carried out.").waitFor();
  await press(page, "Record");
  await page.waitForURL(`${console}record`);
  const record = await page.locator("main").innerText();
  for (const word of ["contoso", "approved"]) assert.ok(record.includes(word), `the record lacks ${word}: ${record}`);
  await page.goto(link); // it is used up
  await press(page, "Make a passkey");
  await page.getByText(/invitation|link/i).first().waitFor();

  child.kill("SIGINT");
  const [code] = await once(child, "exit");
  assert.equal(code, 0, child.said);
  await context.close();
}
