// Runs the programs that docs/frameworks.md names against a simulated Azure.
//
//   node run.mjs path/to/mcp-partner    needs Node 22.19 or later, Python 3, sh
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFile, chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const binary = process.argv[2] && resolve(process.argv[2]);
if (!binary) {
  console.error("usage: node run.mjs path/to/mcp-partner");
  process.exit(2);
}

const programs = [
  ["openai.mjs", process.execPath, /^This identity in tenant contoso /],
  ["mcp.mjs", process.execPath, /^done \S+ \S+ \S+$/m],
  ["anthropic.py", "python3", /in tenant contoso/],
  ["markdown.sh", "sh", /"name":"Microsoft\.ManagementPartner\/partners\/read"/],
];

const folder = await mkdtemp(join(tmpdir(), "frameworks-lane-"));
try {
  await copyFile(binary, join(folder, "mcp-partner"));
  await chmod(join(folder, "mcp-partner"), 0o755);
  const env = { PATH: folder + delimiter + process.env.PATH, HOME: folder, TMPDIR: tmpdir() };
  for (const [name, program, expected] of programs) {
    const file = fileURLToPath(new URL(name, import.meta.url));
    const out = execFileSync(program, [file], { env, encoding: "utf8" });
    assert.match(out, expected, `${name} printed ${out}`);
    console.log(`ok  ${name}: ${out.trim().slice(0, 100)}`);
  }
} finally {
  await rm(folder, { recursive: true });
}
