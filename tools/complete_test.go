package tools

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/simulator"
)

// places is what the tree says of operations. Its methods name what one lacks.
type places struct {
	handlers   map[string]handler
	utterances map[string][]string // the languages in which a tool is asked for
	languages  []string
	routes     func(schemas.Route) bool
	texts      map[string]string
}

// TestEveryOperationHasItsPlaces tells who adds an operation what is left to
// do, in the order of docs/dev/add-an-operation.md.
func TestEveryOperationHasItsPlaces(t *testing.T) {
	t.Parallel()
	p := readPlaces(t)
	checks := []struct {
		missing func(schemas.Operation) []string
		add     string
		step    string
	}{
		{missing: tableless, add: "add it to tables in schemas/catalogue.go", step: "step 1"},
		{missing: p.noHandler, add: "add it to tools/service.go", step: "step 3"},
		{missing: p.noSimulatorRoute, add: "add it to routes in simulator/call.go", step: "step 5"},
		{missing: p.noUtterance, add: "add some to evals/intents and run: go run ./search/train", step: "step 6"},
		{missing: p.noText, add: "run: bash .ci/generate", step: "step 8"},
	}
	for _, op := range schemas.Catalogue() {
		for _, check := range checks {
			for _, missing := range check.missing(op) {
				t.Errorf("operation %s has no %s: %s (docs/dev/add-an-operation.md, %s)", op.Name, missing, check.add, check.step)
			}
		}
	}
}

// TestMissingPlacesAreNamed holds an operation that is nowhere against them.
func TestMissingPlacesAreNamed(t *testing.T) {
	t.Parallel()
	p := readPlaces(t)
	nowhere := schemas.Operation{
		Name: "read_nothing", Answer: []string{"operations"}, Routes: []schemas.Route{{Method: http.MethodGet, Path: "/providers/Microsoft.Nowhere/things"}},
	}
	for place, missing := range map[string][]string{
		"terminal table": tableless(nowhere), "handler": p.noHandler(nowhere), "simulator": p.noSimulatorRoute(nowhere),
		"utterances": p.noUtterance(nowhere), "generated texts": p.noText(nowhere),
	} {
		if len(missing) == 0 {
			t.Errorf("%s: an operation without it is not noticed", place)
		}
	}
}

func readPlaces(t *testing.T) places {
	t.Helper()
	p := places{handlers: (&Service{}).handlersByTool(), utterances: map[string][]string{}, routes: simulated(t), texts: map[string]string{}}
	for _, path := range glob(t, "../evals/intents/??.yaml") {
		p.languages = append(p.languages, strings.TrimSuffix(filepath.Base(path), ".yaml"))
	}
	for _, path := range glob(t, "../evals/intents/*.yaml") {
		p.readUtterances(t, path)
	}
	for _, path := range append(glob(t, "../e2e/testdata/golden/*/tools.json"), "../docs/tools.md", "../README.md", "../schemas/published.jsonl") {
		p.texts[strings.TrimPrefix(path, "../")] = readText(t, path)
	}
	return p
}

func (p *places) readUtterances(t *testing.T, path string) {
	t.Helper()
	var file struct {
		Language   string              `yaml:"language"`
		Says       map[string][]string `yaml:"says"`
		Utterances []struct{ Tool, Language string }
	}
	if err := yaml.Unmarshal([]byte(readText(t, path)), &file); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for tool := range file.Says {
		p.utterances[tool] = append(p.utterances[tool], file.Language)
	}
	for _, u := range file.Utterances {
		p.utterances[u.Tool] = append(p.utterances[u.Tool], u.Language, file.Language)
	}
}

// simulated reports whether the simulator knows a route: one that it does not
// know is journaled as another.
func simulated(t *testing.T) func(schemas.Route) bool {
	t.Helper()
	sim, err := simulator.New(simulator.Config{})
	if err != nil {
		t.Fatal(err)
	}
	server, err := sim.Start(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(server.CAPEM())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(client.CloseIdleConnections)
	return func(route schemas.Route) bool {
		request, err := http.NewRequestWithContext(t.Context(), route.Method, server.URL()+route.Path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		journal := sim.Journal()
		return journal[len(journal)-1].Op != simulator.OpOther
	}
}

// tableless names the list that a terminal would not show. Rows of the fields
// named here have a view of their own in internal/cli/render.
func tableless(op schemas.Operation) []string {
	ownView := []string{"rows", "causes", "changes", "matches"}
	var missing []string
	for field := range reflect.TypeFor[answers.Envelope]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Type.Kind() == reflect.Slice && slices.Contains(op.Answer, name) && !slices.Contains(ownView, name) && op.Table == nil {
			missing = append(missing, "terminal columns for "+name)
		}
	}
	return missing
}

func (p places) noHandler(op schemas.Operation) []string {
	if p.handlers[op.Name] == nil {
		return []string{"handler"}
	}
	return nil
}

func (p places) noSimulatorRoute(op schemas.Operation) []string {
	var missing []string
	for _, route := range op.Routes {
		if !p.routes(route) {
			missing = append(missing, "simulator answer to "+route.Method+" "+route.Path)
		}
	}
	return missing
}

func (p places) noUtterance(op schemas.Operation) []string {
	var missing []string
	for _, language := range p.languages {
		if !slices.Contains(p.utterances[op.Name], language) {
			missing = append(missing, "utterance in "+language)
		}
	}
	return missing
}

func (p places) noText(op schemas.Operation) []string {
	var missing []string
	for path, text := range p.texts {
		if !strings.Contains(text, op.Name) {
			missing = append(missing, "row in "+path)
		}
	}
	slices.Sort(missing)
	return missing
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files at %s: %v", pattern, err)
	}
	return paths
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
