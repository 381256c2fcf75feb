# For a model that knows no tools at all: the list goes into the prompt, and the
# model answers with one line, TOOL ARGUMENTS. Here a canned answer stands for it.
set -eu
prompt=$(mcp-partner tools --format markdown)
prompt="$prompt

Answer with one line: the name of a tool, a space, its arguments as JSON."
answer='list_provider_operations {"tenant":"contoso"}' # what a model makes of "$prompt"

tool=${answer%% *} arguments=${answer#* }
printf '%s' "$arguments" | mcp-partner call "$tool" --args - --json --simulate
