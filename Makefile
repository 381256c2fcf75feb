# Shorthands; what they run works without make too.
.PHONY: check test race golden clean

check: ## everything that CI runs
	bash .ci/run

test:
	go test ./...

race:
	go test -race -timeout 15m ./...

golden: ## write generated files anew
	bash .ci/generate

clean:
	rm -rf mcp-partner bin dist e2e/*/node_modules
