package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/config"
	"mcp-partner/schemas"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain":            "plain",
		"Größe 資料 данные":  "Größe 資料 данные",
		"\x1b[2Jx":         "<U+001B>[2Jx",
		"a\u202eb":         "a<U+202E>b",
		"a\nb\tc\r":        "a<U+000A>b<U+0009>c<U+000D>",
		"\u009b31m":        "<U+009B>31m",
		"zero\u200bwidth":  "zero<U+200B>width",
		"bad\xffutf8":      "bad\uFFFDutf8",
		"tag\U000E0041end": "tag<U+E0041>end",
		"no\u00a0break":    "no\u00a0break",
		"e\u0301":          "e\u0301",
	} {
		if got := escape(text); got != want {
			t.Errorf("escape(%q) is %q, want %q", text, got, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("\x1b]0;title\x07")
	f.Add("\u2066\U000E0001")
	f.Fuzz(func(t *testing.T, text string) {
		if got := escape(text); strings.ContainsFunc(got, hostile) {
			t.Fatalf("escape(%q) is %q", text, got)
		}
	})
}

func TestEscapedJSONIsTheSameJSON(t *testing.T) {
	t.Parallel()
	want := map[string]string{"a": "x\u202e\U000E0041\x7f\u009b資"}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	escaped := escapeJSON(string(text))
	if strings.ContainsFunc(escaped, hostile) {
		t.Errorf("%q holds what a terminal would act on", escaped)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(escaped), &got); err != nil || !cmp.Equal(want, got) {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestRenderingEscapesEverything puts hostile text into every field of an
// envelope.
func TestRenderingEscapesEverything(t *testing.T) {
	t.Parallel()
	const evil = "x\x1b[31m\u202ey"
	version := int64(1)
	link := &schemas.Link{State: schemas.LinkLinked, PartnerID: evil, PartnerName: evil, Version: &version, UpdatedTime: evil, ExpectedPartnerID: evil, Reason: evil}
	envelope := schemas.Envelope{
		Status: schemas.StatusFailed, Summary: evil,
		Identity: &schemas.Identity{TenantID: evil, Tenant: evil, ObjectID: evil, Cloud: evil, Credential: evil},
		Link:     link, Before: link, After: link, NextCursor: evil,
		Operations: []schemas.ProviderOperation{{Name: evil, Operation: evil, Description: evil}},
		Tenants:    []schemas.TenantRow{{Name: evil, TenantID: evil, DisplayName: evil, Labels: []string{evil}}},
		Matches:    []schemas.Match{{Tool: schemas.ToolCheckPartnerLink, Why: evil, Arguments: map[string]any{"partner_id": evil}}},
		OutOfScope: &schemas.Scope{Out: &schemas.OutOfScope{Reason: evil, UseInstead: []schemas.UseInstead{{Name: evil, WhatFor: evil}}}},
		Plan:       []schemas.PlannedRequest{{Method: evil, URL: evil, When: evil}},
		Approval:   &schemas.Approval{ID: evil, State: evil, How: evil},
		Problem:    &schemas.Problem{Code: evil, Message: evil, Hint: evil, Foreign: evil, ForeignCode: evil, ARMRequestID: evil, CorrelationID: evil, RetryAfterSeconds: 3},
	}
	for _, color := range []bool{false, true} {
		var out bytes.Buffer
		(&ui{out: &out, color: color}).envelope(envelope)
		shown := out.String()
		for _, own := range []style{bold, dim, good, warn, bad} {
			shown = strings.ReplaceAll(shown, "\x1b["+string(own)+"mx<", "x<")
		}
		if strings.Contains(shown, "\x1b[31my") || strings.Contains(shown, "\u202e") || strings.Contains(shown, "x\x1b") {
			t.Errorf("color %v: hostile text came through:\n%q", color, shown)
		}
		if !color && strings.Contains(shown, "\x1b") {
			t.Errorf("escape sequences without colour:\n%q", shown)
		}
		if n := strings.Count(shown, "<U+202E>") + strings.Count(shown, `\u202e`); n < 30 {
			t.Errorf("color %v: only %d of the fields are shown", color, n)
		}
	}
}

func TestTableAlignsWideLetters(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	(&ui{out: &out}).table([]string{"NAME", "EMPTY", "ID"}, [][]string{{"資料", "", "1"}, {"ab", "", "2"}})
	want := "  NAME  ID\n  資料  1\n  ab    2\n"
	if out.String() != want {
		t.Errorf("table is\n%swant\n%s", out.String(), want)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, base string
		flags      []string
		want       string
	}{
		{"none", "", nil, ""},
		{"flags", "", []string{"--tenant", "a\"b", "--limit", "7", "--discover"}, `{"tenant":"a\"b","limit":7,"discover":true}`},
		{"wrong types go on as text", "", []string{"--limit", "07", "--discover=maybe"}, `{"limit":"07","discover":"maybe"}`},
		{"base alone", ` {"tenant":"x"} `, nil, ` {"tenant":"x"} `},
		{"both", `{ "tenant":"x" }`, []string{"--limit", "1"}, `{"tenant":"x","limit":1}`},
		{"empty object", `{}`, []string{"--limit", "1"}, `{"limit":1}`},
		{"null", `null`, []string{"--limit", "1"}, `{"limit":1}`},
		{"twice", `{"limit":2}`, []string{"--limit", "1"}, `{"limit":2,"limit":1}`},
		{"no object", `[1]`, []string{"--limit", "1"}, `[1]`},
		{"broken", `{"a":`, []string{"--limit", "1"}, `{"a":`},
	}
	op, _ := schemas.Lookup(schemas.ToolListTenants)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			arguments := &toolArguments{base: c.base}
			command := &cobra.Command{}
			arguments.add(command, op)
			if err := command.ParseFlags(c.flags); err != nil {
				t.Fatal(err)
			}
			got, err := arguments.json(strings.NewReader(""), command.Flags())
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
}

func TestStandardInputThatCannotBeRead(t *testing.T) {
	t.Parallel()
	arguments := &toolArguments{base: "-"}
	if _, err := arguments.json(strings.NewReader(strings.Repeat("x", maxArguments+1)), nil); endOf(err).code != ExitUsage {
		t.Errorf("error %v, want one of usage", err)
	}
}

// TestEveryCommandHelps wants a short text, examples for what can be run, and
// no flag twice.
func TestEveryCommandHelps(t *testing.T) {
	t.Parallel()
	var walk func(*cobra.Command)
	walk = func(command *cobra.Command) {
		if command.Name() == "completion" || command.Name() == "help" {
			return
		}
		if command.Short == "" || command.Example == "" || !strings.Contains(command.Example, "mcp-partner") {
			t.Errorf("%s has no short text or no example", command.CommandPath())
		}
		command.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			if flag.Usage == "" {
				t.Errorf("%s --%s says nothing", command.CommandPath(), flag.Name)
			}
		})
		for _, sub := range command.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(newFactory(testStreams(nil))))
}

// TestEveryFlagHasAVariable sets each flag of each command by its variable.
func TestEveryFlagHasAVariable(t *testing.T) {
	t.Parallel()
	samples := map[string]string{"bool": "true", "int": "3", "uint64": "3", "duration": "3s", config.ListType: "a,b", "mode": "approver", "format": "yaml", "place": "file"}
	var walk func(*cobra.Command)
	walk = func(command *cobra.Command) {
		command.Flags().AddFlagSet(command.InheritedFlags())
		command.Flags().VisitAll(func(flag *pflag.Flag) {
			if config.IsTyped(flag) {
				return
			}
			sample := samples[flag.Value.Type()]
			if sample == "" {
				sample = "text"
			}
			env := func(name string) (string, bool) { return sample, name == config.EnvName(flag.Name) }
			if err := config.Apply(command.Flags(), env, config.File{}); err != nil || !flag.Changed {
				t.Errorf("%s --%s is not set by %s: %v", command.CommandPath(), flag.Name, config.EnvName(flag.Name), err)
			}
		})
		for _, sub := range command.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(newFactory(testStreams(nil))))
}

// TestNoFlagTakesASecret looks for flags whose value would be one. A file, or
// the word to read standard input, is none.
func TestNoFlagTakesASecret(t *testing.T) {
	t.Parallel()
	for _, name := range allFlags(newRoot(newFactory(testStreams(nil))), func(flag *pflag.Flag) bool { return flag.Value.Type() != "bool" }) {
		if config.Secretive(name) {
			t.Errorf("--%s looks as if it took a secret", name)
		}
	}
}

func testStreams(env map[string]string) *Streams {
	return &Streams{
		In: strings.NewReader(""), Out: new(bytes.Buffer), Err: new(bytes.Buffer),
		Env:      func(name string) (string, bool) { value, ok := env[name]; return value, ok },
		Terminal: func() (Terminal, error) { return nil, errNothingTyped },
	}
}

func TestShellWord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"contoso": "contoso", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'"} {
		if got := shellWord(text); got != want {
			t.Errorf("shellWord(%q) is %s, want %s", text, got, want)
		}
	}
}

func TestSimulateCount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"true": 10, "false": 0, "0": 0, "50": 50, "-1": -1, "x": -1, "": -1, "10000000": -1} {
		var count simulateCount
		err := count.Set(text)
		if (err == nil) != (want >= 0) || err == nil && int(count) != want {
			t.Errorf("%q gave %d, %v; want %d", text, count, err, want)
		}
	}
}

// gone is an output whose reader went away.
type gone struct{}

func (gone) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}
}

func TestAReaderThatSawEnoughIsNoError(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	streams := testStreams(map[string]string{"MCP_PARTNER_STATE_DIR": t.TempDir()})
	streams.Out, streams.Err = gone{}, &errs
	if code := Run(t.Context(), streams, []string{"tools"}); code != ExitFailed || errs.Len() != 0 {
		t.Errorf("exit %d, said %q", code, errs.String())
	}
}

// A pipeline must not pass on an audit that was cut off: what has no answer yet
// may be anything. A deleted link is a missing one.
func TestFailOnTakesNoHalfAnAuditForAWholeOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		on     list
		totals map[string]int
		fails  bool
	}{
		{list{"not_linked"}, map[string]int{"rows": 2, "answered": 2, "linked": 2}, false},
		{list{"not_linked"}, map[string]int{"rows": 2, "answered": 2, "unknown": 2}, false},
		{list{"not_linked"}, map[string]int{"rows": 2, "answered": 1, "linked": 1, "pending": 1}, true},
		{list{"other", "not_linked", "unknown"}, map[string]int{"rows": 2, "answered": 2, "linked": 1, "deleted": 1}, true},
		{list{"deleted"}, map[string]int{"rows": 2, "answered": 2, "not_linked": 2}, false},
		{list{"other", "unknown"}, map[string]int{"rows": 2, "answered": 2, "unknown": 1}, true},
		{nil, map[string]int{"rows": 2, "answered": 1, "pending": 1}, false},
	} {
		if got := (&reportOptions{failOn: c.on}).fails(c.totals); got != c.fails {
			t.Errorf("--fail-on %v of %v: %v", c.on, c.totals, got)
		}
	}
}
