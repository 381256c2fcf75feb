// A host as the bridge of MCP Apps makes it: the view lies in a sandbox inside a frame of
// another origin, and what it asks for goes to the functions of the lane.
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

window.show = async ({ proxy, html, tool, can, theme }) => {
  document.body.replaceChildren();
  const frame = document.createElement("iframe");
  frame.sandbox = "allow-scripts allow-same-origin";
  frame.title = "view";
  frame.style = "border: 0; width: 100%; height: 100%";
  const bridge = new AppBridge(null, { name: "lane", version: "1" }, can, { hostContext: { theme, toolInfo: { tool: { name: tool, inputSchema: { type: "object" } } } } });
  bridge.oncalltool = (params) => window.callTool(params);
  bridge.onopenlink = async (params) => { await window.openLink(params.url); return {}; };
  bridge.onsizechange = (size) => { window.size = size; };
  const initialized = new Promise((resolve) => { bridge.oninitialized = resolve; });
  bridge.onsandboxready = () => bridge.sendSandboxResourceReady({ html, sandbox: "allow-scripts" });
  document.body.append(frame);
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  frame.src = proxy;
  await initialized;
  window.bridge = bridge;
};
