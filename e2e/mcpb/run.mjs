// Packs the bundle for Claude Desktop with the protocol's own tool, unpacks it
// elsewhere, and starts what is in it as the manifest says.
//
//   npm ci
//   PROJECT=path/to/the/project node run.mjs path/to/mcp-partner
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const binary = process.argv[2] && resolve(process.argv[2]);
const project = process.env.PROJECT && resolve(process.env.PROJECT);
if (!binary || !project) {
  console.error("usage: PROJECT=path/to/the/project node run.mjs path/to/mcp-partner");
  process.exit(2);
}

const mcpb = [process.execPath, fileURLToPath(new URL("node_modules/@anthropic-ai/mcpb/dist/cli/cli.js", import.meta.url))];
const folder = await mkdtemp(join(tmpdir(), "bundle der Zoë "));
try {
  const bundle = join(folder, "mcp-partner.mcpb");
  const unpacked = join(folder, "unpacked");
  execFileSync(join(project, "deploy", "bundle"), ["1.2.3", binary, bundle], { env: { ...process.env, MCPB: mcpb.join(" ") }, stdio: ["ignore", "inherit", "inherit"] });
  execFileSync(mcpb[0], [mcpb[1], "unpack", bundle, unpacked]);

  const manifest = JSON.parse(await readFile(join(unpacked, "manifest.json"), "utf8"));
  assert.equal(manifest.version, "1.2.3");
  assert.equal(manifest.user_config, undefined, "the bundle asks for something");
  for (const file of ["LICENSE", "NOTICE", "THIRD_PARTY_NOTICES.txt", "sbom.cdx.json"]) assert.ok((await stat(join(unpacked, file))).size > 0);

  const { command, args } = manifest.server.mcp_config;
  const here = (text) => text.replaceAll("${__dirname}", unpacked);
  assert.equal(here(command), join(unpacked, manifest.server.entry_point));
  // As Claude Desktop starts it: a home, and next to nothing else.
  const transport = new StdioClientTransport({ command: here(command), args: args.map(here), env: { HOME: folder } });
  const client = new Client({ name: "mcpb-lane", version: "1" });
  await client.connect(transport);
  const { tools } = await client.listTools();
  assert.ok(tools.some((tool) => tool.name === "check_partner_link"));
  const { structuredContent } = await client.callTool({ name: "list_tenants", arguments: {} });
  assert.equal(structuredContent.status, "refused");
  assert.equal(structuredContent.problem.code, "directory_empty");
  await client.close();
  console.log(`1 passed, 0 failed`);
} finally {
  await rm(folder, { recursive: true });
}
