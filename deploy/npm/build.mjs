// Makes the npm packages of a release: one with the launcher, and one with the program
// for each platform, which npm chooses. Nothing is downloaded when they are installed.
//
//   node deploy/npm/build.mjs @SCOPE VERSION FOLDER linux-x64=PROGRAM,NOTICES,SBOM win32-x64=PROGRAM,NOTICES,SBOM ...
//
// The scope belongs to the publisher. A platform is named as in process.platform and
// process.arch; NOTICES are the licences of its program, as deploy/notices writes them,
// and SBOM is its bill of materials, as deploy/sbom does.
import { chmodSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url)), project = join(here, "..", "..");
const [scope, version, folder, ...programs] = process.argv.slice(2);

function fail(why) {
  console.error(`${why}\nusage: node deploy/npm/build.mjs @SCOPE VERSION FOLDER PLATFORM=PROGRAM,NOTICES,SBOM ...`);
  process.exit(2);
}

if (!/^@[a-z0-9][a-z0-9._-]*$/.test(scope ?? "")) fail("The scope is no npm scope such as @example.");
if (!/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(version ?? "")) fail("The version is no semantic version such as 1.2.3.");
if (!folder || !programs.length) fail("No folder or no program is given.");

function pack(name, more, ...files) {
  const at = join(folder, name.split("/")[1]);
  mkdirSync(at, { recursive: true });
  for (const [from, to, mode] of [...files, [join(project, "LICENSE"), "LICENSE"], [join(project, "NOTICE"), "NOTICE"]]) {
    mkdirSync(dirname(join(at, to)), { recursive: true });
    copyFileSync(from, join(at, to));
    if (mode) chmodSync(join(at, to), mode);
  }
  const about = { name, version, license: "Apache-2.0", engines: { node: ">=20" }, ...more };
  writeFileSync(join(at, "package.json"), `${JSON.stringify(about, null, 2)}\n`);
  console.log(at);
}

const platforms = programs.map((text) => {
  const [, os, cpu, program, notices, sbom] = /^(linux|darwin|win32)-(x64|arm64)=(.+),([^,]+),([^,]+)$/.exec(text) ?? fail(`${text} is no PLATFORM=PROGRAM,NOTICES,SBOM.`);
  for (const file of [program, notices, sbom]) if (!existsSync(file)) fail(`${file} is not there.`);
  const name = `${scope}/mcp-partner-${os}-${cpu}`;
  pack(name, { description: `mcp-partner for ${os} on ${cpu}`, os: [os], cpu: [cpu] },
    [program, `bin/mcp-partner${os === "win32" ? ".exe" : ""}`, 0o755], [notices, "THIRD_PARTY_NOTICES.txt"], [sbom, "sbom.cdx.json"]);
  return name;
});
pack(`${scope}/mcp-partner`, {
  description: "MCP server for Partner Admin Link in Azure tenants", type: "module", bin: { "mcp-partner": "launcher.mjs" },
  optionalDependencies: Object.fromEntries(platforms.map((name) => [name, version])), // exactly this version
}, [join(here, "launcher.mjs"), "launcher.mjs", 0o755], [join(project, "README.md"), "README.md"]);
