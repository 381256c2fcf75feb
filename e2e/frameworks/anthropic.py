"""A loop for Anthropic's Messages API. Set ANTHROPIC_API_KEY to use a real
model; without it a canned one answers, so that the loop can be tried without an
account. It needs nothing but Python."""
import json
import os
import subprocess
import sys
import urllib.request

KEY = os.environ.get("ANTHROPIC_API_KEY")
SIMULATE = [] if KEY else ["--simulate"]


def partner(*args, given=""):
    # A call that is refused or fails ends with another code than 0; its envelope
    # says why, and the model has to read it.
    return subprocess.run(["mcp-partner", *args], input=given, capture_output=True, text=True).stdout


TOOLS = json.loads(partner("tools", "--format", "anthropic"))
KNOWN = {tool["name"] for tool in TOOLS}


def execute(use):
    if use["name"] not in KNOWN:
        return json.dumps({"error": "there is no such tool"})
    return partner("call", use["name"], "--args", "-", "--json", *SIMULATE, given=json.dumps(use["input"]))


def create(messages):
    if not KEY:
        return canned(messages)
    body = {"model": os.environ.get("MODEL", "claude-sonnet-4-5"), "max_tokens": 1024, "messages": messages, "tools": TOOLS}
    headers = {"content-type": "application/json", "x-api-key": KEY, "anthropic-version": "2023-06-01"}
    request = urllib.request.Request("https://api.anthropic.com/v1/messages", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as response:
        return json.load(response)["content"]


def canned(messages):
    last = messages[-1]["content"]
    if isinstance(last, list):
        return [{"type": "text", "text": json.loads(last[0]["content"])["summary"]}]
    return [{"type": "tool_use", "id": "toolu_1", "name": "check_partner_link", "input": {"tenant": "contoso", "partner_id": "1234567"}}]


messages = [{"role": "user", "content": sys.argv[1] if len(sys.argv) > 1 else "Is 1234567 the partner ID at Contoso?"}]
for _ in range(8):
    content = create(messages)
    messages.append({"role": "assistant", "content": content})
    uses = [block for block in content if block["type"] == "tool_use"]
    if not uses:
        print("".join(block["text"] for block in content if block["type"] == "text"))
        break
    results = [{"type": "tool_result", "tool_use_id": use["id"], "content": execute(use)} for use in uses]
    messages.append({"role": "user", "content": results})
