#!/usr/bin/env node
// Starts the program that came with the package of this platform, as if it had been
// called itself: same arguments, input, output and exit code.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { name } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
const platform = `${process.platform}-${process.arch}`;

let program;
try {
  program = createRequire(import.meta.url).resolve(`${name}-${platform}/bin/mcp-partner${process.platform === "win32" ? ".exe" : ""}`);
} catch {
  console.error(`mcp-partner: the package ${name}-${platform} is not installed\nNext: install ${name} without --omit=optional; if that is what you did, there is no program for this platform`);
  process.exit(1);
}

const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
const passOn = (signal) => child.kill(signal);
process.on("SIGTERM", passOn).on("SIGHUP", passOn);
process.on("SIGINT", () => {}); // a terminal sends it to both, and a second one would end the program at once
child.on("error", (error) => {
  console.error(`mcp-partner: ${program} cannot be started: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  if (!signal) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
