// A loop for APIs that take tools as OpenAI's do: Chat Completions, and the
// many that speak like it. Set MODEL_URL and MODEL_KEY to use a real one; without
// them a canned model answers, so that the loop can be tried without an account.
import { execFileSync } from "node:child_process";

const partner = (args, input) => {
  try {
    return execFileSync("mcp-partner", args, { input, encoding: "utf8", stdio: ["pipe", "pipe", "ignore"] });
  } catch (failed) {
    return failed.stdout; // refused or failed: the envelope says why, and the model has to read it
  }
};
const tools = JSON.parse(partner(["tools", "--format", "openai"]));
const known = new Set(tools.map((tool) => tool.function.name));

// The executor: whatever the model asks for goes through the same checks as any
// call. Add --allow-writes here if the policy of this server does not decide.
const execute = ({ name, arguments: json }) =>
  known.has(name) ? partner(["call", name, "--args", "-", "--json", ...simulate], json) : `{"error":"there is no tool ${JSON.stringify(name)}"}`;
const simulate = process.env.MODEL_URL ? [] : ["--simulate"];

const messages = [{ role: "user", content: process.argv[2] ?? "Is our partner link in place at Contoso?" }];
for (let turn = 0; turn < 8; turn++) {
  const answer = await complete({ model: process.env.MODEL ?? "gpt", messages, tools });
  messages.push(answer);
  if (!answer.tool_calls?.length) {
    console.log(answer.content);
    break;
  }
  for (const call of answer.tool_calls) {
    messages.push({ role: "tool", tool_call_id: call.id, content: execute(call.function) });
  }
}

async function complete(body) {
  if (!process.env.MODEL_URL) return canned(body.messages);
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${process.env.MODEL_KEY}` };
  const response = await fetch(`${process.env.MODEL_URL}/chat/completions`, { method: "POST", headers, body: JSON.stringify(body) });
  return (await response.json()).choices[0].message;
}

function canned(all) {
  const last = all.at(-1);
  if (last.role === "tool") return { role: "assistant", content: JSON.parse(last.content).summary };
  const call = { name: "check_partner_link", arguments: '{"tenant":"contoso"}' };
  return { role: "assistant", tool_calls: [{ id: "call_1", type: "function", function: call }] };
}
