package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mcp-partner/schemas/problems"
)

const canary = "s3cret-value"

// leaky prints a secret in every way that slog knows.
type leaky struct{}

func (leaky) String() string       { return canary }
func (leaky) Error() string        { return canary }
func (leaky) LogValue() slog.Value { return slog.GroupValue(slog.String("caller", canary)) }

func TestOnlyListedAttributesAreLogged(t *testing.T) {
	t.Parallel()
	for _, asJSON := range []bool{false, true} {
		var out bytes.Buffer
		log := NewLogger(&out, LogOptions{Level: slog.LevelDebug, JSON: asJSON, Facts: func(context.Context) []slog.Attr { return nil }})
		log.With("token", canary, "caller", "a", "arguments", canary).WithGroup("body").With("secret", canary).
			Info("call", "tool", "t", "body", canary, "error", errors.New(canary), "reason", errors.New(canary), "tenant", leaky{}, "caller", struct{ A string }{canary},
				slog.Group("outcome", "x", canary), slog.Any("problem", problems.CodeInternal), slog.Any("status", []string{canary}), "count", 3, "duration", 1500*time.Microsecond, "stray", 1)
		got := out.String()
		if strings.Contains(got, canary) {
			t.Errorf("it leaks: %s", got)
		}
		for _, want := range []string{"caller", "tool", "problem", "internal_error", "count", "duration_ms", "1.5"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s is missing: %s", want, got)
			}
		}
		for _, unwanted := range []string{"token", "arguments", "body", "secret", "error=", `"error"`, "outcome", "stray"} {
			if strings.Contains(got, unwanted) {
				t.Errorf("%s is there: %s", unwanted, got)
			}
		}
	}
}

func TestLogRecordIsOneLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := NewLogger(&out, LogOptions{JSON: true, Facts: func(context.Context) []slog.Attr {
		return []slog.Attr{slog.String("request_id", "r1"), slog.String("argument", canary)}
	}})
	log.Info("a\nb", "caller", "x\n\x1b[2Jlevel=ERROR", "reason", strings.Repeat("y", 10_000))
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("%v in %q", err, out.String())
	}
	if line["msg"] != "ab" || line["caller"] != "x[2Jlevel=ERROR" || len(line["reason"].(string)) != maxText || line["request_id"] != "r1" || line["argument"] != nil {
		t.Errorf("got %v", line)
	}
	log.Debug("not at this level")
	if strings.Count(out.String(), "\n") != 1 {
		t.Error("the level does not hold")
	}
}

// TestLoggedAttributesAreListed reads every logger call in the program: an
// attribute that is not listed would be dropped silently.
func TestLoggedAttributesAreListed(t *testing.T) {
	t.Parallel()
	seen := 0
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/e2e/") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				for _, key := range loggedKeys(call) {
					seen++
					if !attributes[key] && !attributes[key+"_ms"] {
						t.Errorf("%s logs %q, which is not listed", path, key)
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil || seen < 20 {
		t.Errorf("%d attributes were found, %v", seen, err)
	}
}

// loggedKeys are the literal keys in a call of a logger, or of one of slog's
// makers of attributes.
func loggedKeys(call *ast.CallExpr) []string {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	if of, ok := method.X.(*ast.Ident); ok && of.Name == "slog" {
		return literal(call.Args, 0, slices.Contains([]string{"String", "Int", "Int64", "Bool", "Duration", "Time", "Any", "Float64"}, method.Sel.Name))
	}
	holder, ok := method.X.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"log", "Log", "logger", "Logger"}, holder.Sel.Name) {
		return nil
	}
	first, ok := map[string]int{"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "DebugContext": 2, "InfoContext": 2, "WarnContext": 2, "ErrorContext": 2, "Log": 3}[method.Sel.Name]
	var keys []string
	for i := first; ok && i < len(call.Args); i += 2 {
		keys = append(keys, literal(call.Args, i, true)...)
	}
	return keys
}

func literal(args []ast.Expr, at int, wanted bool) []string {
	if !wanted || at >= len(args) {
		return nil
	}
	text, ok := args[at].(*ast.BasicLit)
	if !ok || text.Kind != token.STRING {
		return nil
	}
	key, _ := strconv.Unquote(text.Value)
	return []string{key}
}
