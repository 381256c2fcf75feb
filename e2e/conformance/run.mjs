// The protocol's conformance suite judges the binary, and the same transport
// with the suite's own fixtures. What comes of it has to be what conformance.md
// says, and what fails what expected-failures.json names, no more and no less.
//
//   npm ci
//   node run.mjs BINARY FIXTURES PAGE [--update]    needs Node 22 or later
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const runs = [
  { name: "0.1.16, 2025-11-25", suite: "conformance-2025", flags: ["--suite", "active"] },
  { name: "0.2.0-alpha.12, 2025-11-25", suite: "conformance-2026", flags: ["--requirements", "2025-11-25"], requirements: "2025-11-25" },
  { name: "0.2.0-alpha.12, 2026-07-28", suite: "conformance-2026", flags: ["--requirements", "2026-07-28"], requirements: "2026-07-28" },
];

const [binary, fixtures, page] = process.argv.slice(2, 5).map((path) => path && resolve(path));
const update = process.argv.includes("--update");
if (!page) {
  console.error("usage: node run.mjs BINARY FIXTURES PAGE [--update]");
  process.exit(2);
}

const expected = JSON.parse(await readFile(new URL("expected-failures.json", import.meta.url), "utf8"));
const scratch = await mkdtemp(join(tmpdir(), "conformance-"));
const servers = {
  binary: await serve(binary, "serve", "--simulate=3", "--http", "127.0.0.1:0", "--insecure-no-auth", "--log-level", "error"),
  fixtures: await serve(fixtures),
};
let text = head(), wrong = [];
try {
  for (const run of runs) {
    const results = {};
    for (const [name, server] of Object.entries(servers)) results[name] = await judge(run, name, server.url);
    wrong.push(...compare(run, results));
    text += section(run, results, await unscored(run));
  }
} finally {
  for (const server of Object.values(servers)) await server.end();
  await rm(scratch, { recursive: true });
}
if (update) await writeFile(page, text);
else if ((await readFile(page, "utf8")) !== text) wrong.push("e2e/conformance.md is not what came of this run; write it anew with --update:\n" + text);
assert.deepEqual(wrong, [], wrong.join("\n"));
console.log("ok  all scenarios ended as e2e/conformance.md says");

// serve starts a program that prints its address on one line of JSON.
async function serve(path, ...args) {
  const child = spawn(path, args, { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, CONFORMANCE_FIXTURES: "serve" } });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([once(lines, "line"), exited.then(([code]) => Promise.reject(new Error(`${path} ended with ${code}`)))]);
  return {
    url: JSON.parse(line).url,
    async end() {
      child.stdin.end();
      if (args.length > 0) child.kill("SIGTERM");
      const [code] = await exited;
      assert.equal(code, 0, `${path} did not end well`);
    },
  };
}

// judge runs a suite and returns how each scenario ended. The suite's exit code
// says no more than its checks do.
async function judge(run, name, url) {
  const out = join(scratch, `${run.name} ${name}`);
  const script = new URL(`node_modules/${run.suite}/dist/index.js`, import.meta.url).pathname;
  const child = spawn(process.execPath, [script, "server", "--url", url, ...run.flags, "-o", out], { stdio: ["ignore", "ignore", "inherit"] });
  const [code] = await once(child, "exit");
  assert.ok(code === 0 || code === 1, `the suite ended with ${code}`);
  const ended = {};
  for (const folder of await readdir(out)) {
    const scenario = folder.replace(/^server-/, "").replace(/-\d{4}-\d{2}-\d{2}T.*$/, "");
    const checks = JSON.parse(await readFile(join(out, folder, "checks.json"), "utf8"));
    ended[scenario] = verdict(checks.map((check) => check.status));
  }
  assert.ok(Object.keys(ended).length > 20, `the suite ran ${Object.keys(ended).length} scenarios`);
  return ended;
}

function verdict(statuses) {
  if (statuses.includes("FAILURE")) return "failed";
  return statuses.includes("SUCCESS") ? "passed" : "skipped";
}

// compare holds what failed with the fixtures against the list, both ways.
function compare(run, { fixtures }) {
  const listed = expected[run.name] ?? {};
  const failed = Object.keys(fixtures).filter((scenario) => fixtures[scenario] === "failed");
  return [
    ...failed.filter((scenario) => !listed[scenario]).map((scenario) => `${run.name}: ${scenario} fails and is not expected to`),
    ...Object.keys(listed).filter((scenario) => !failed.includes(scenario)).map((scenario) => `${run.name}: ${scenario} is expected to fail and does not: take it out of expected-failures.json`),
  ];
}

// unscored are the scenarios that a revision does not require, with the reason.
async function unscored(run) {
  if (!run.requirements) return {};
  const list = await readFile(new URL(`node_modules/${run.suite}/requirements/${run.requirements}.yaml`, import.meta.url), "utf8");
  return Object.fromEntries([...list.matchAll(/- scenario: (\S+)\n\s+leg: server\n\s+reason: (\S+)/g)].map((match) => [match[1], match[2]]));
}

function head() {
  return `# Conformance

What the protocol's own suite, \`@modelcontextprotocol/conformance\`, says of this server. Written by \`e2e/conformance/run.mjs\`; the
lane \`conformance\` of \`.ci/run\` fails where a run differs. Most scenarios want tools, prompts and resources of their own by
name. They are run against *the binary* as it is served, and against a test program that has these *fixtures* on the same
package \`server\`.
`;
}

function section(run, { binary, fixtures }, notScored) {
  const names = Object.keys(fixtures).sort();
  const required = names.filter((name) => !notScored[name]);
  const good = required.filter((name) => fixtures[name] !== "failed");
  const rows = names.map((name) => `| \`${name}\` | ${binary[name]} | ${fixtures[name]} | ${reason(run, name, binary[name], fixtures[name], notScored[name])} |`);
  return `
## ${run.name}

${good.length} of ${required.length} required scenarios do not fail with the fixtures; ${required.filter((name) => binary[name] !== "failed").length} with the binary alone.

| Scenario | Binary | Fixtures | Why |
|---|---|---|---|
${rows.join("\n")}
`;
}

function reason(run, name, binary, fixtures, notScored) {
  if (fixtures === "failed") return expected[run.name]?.[name] ?? "not expected";
  const words = [];
  if (notScored) words.push(`not required: ${notScored}`);
  if (binary === "failed") words.push("wants a fixture by name");
  if (fixtures === "skipped") words.push("the suite finds nothing to check");
  return words.join("; ");
}
