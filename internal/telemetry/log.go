package telemetry

import (
	"context"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// attributes are all that a log line may hold. Others are dropped.
var attributes = map[string]bool{
	// of a call
	"request_id": true, "trace_id": true, "caller": true, "tool": true, "tenant": true, "outcome": true, "problem": true, "duration_ms": true,
	// of a request and its connection
	"method": true, "reason": true, "stack": true, "error_type": true, "connection": true, "origin": true, "issuer": true,
	// of the start and the end
	"url": true, "address": true, "transport": true, "expires_at": true, "until": true, "simulated": true, "allow_writes": true,
	// of sign-ins, approvals, runs and the record
	"credential": true, "refresh": true, "code": true, "entra_code": true, "correlation_id": true, "expires": true, "approval": true, "status": true, "reached": true, "again_at": true, "count": true, "found": true, "run": true,
	// of what happens by itself
	"job": true, "schedule": true, "due": true, "kind": true, "name": true, "own": true, "in_force": true,
}

// maxText bounds a logged text, in bytes.
const maxText = 2048

// LogOptions configure a logger.
type LogOptions struct {
	Level slog.Level
	// JSON writes one object a line; otherwise it is key=value.
	JSON bool
	// Facts adds the attributes of a context's request.
	Facts func(context.Context) []slog.Attr
}

// NewLogger makes a logger whose lines hold the listed attributes with plain
// values only.
func NewLogger(to io.Writer, o LogOptions) *slog.Logger {
	options := &slog.HandlerOptions{Level: o.Level}
	var next slog.Handler = slog.NewTextHandler(to, options)
	if o.JSON {
		next = slog.NewJSONHandler(to, options)
	}
	return slog.New(sieve{next, o.Facts})
}

// sieve passes listed attributes.
type sieve struct {
	next  slog.Handler
	facts func(context.Context) []slog.Attr
}

// Enabled implements slog.Handler.
func (s sieve) Enabled(ctx context.Context, level slog.Level) bool { return s.next.Enabled(ctx, level) }

// Handle implements slog.Handler.
func (s sieve) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, text(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(sift([]slog.Attr{a})...)
		return true
	})
	clean.AddAttrs(sift(s.facts(ctx))...)
	return s.next.Handle(ctx, clean)
}

// WithAttrs implements slog.Handler.
func (s sieve) WithAttrs(attrs []slog.Attr) slog.Handler {
	return sieve{s.next.WithAttrs(sift(attrs)), s.facts}
}

// WithGroup implements slog.Handler. Lines are flat, so that one list holds for
// all of them.
func (s sieve) WithGroup(string) slog.Handler { return s }

func sift(attrs []slog.Attr) []slog.Attr {
	var kept []slog.Attr
	for _, a := range attrs {
		key, value, ok := plain(a.Key, a.Value.Resolve())
		if ok && attributes[key] {
			kept = append(kept, slog.Attr{Key: key, Value: value})
		}
	}
	return kept
}

// plain refuses values that could print anything, such as errors, lists and
// structs. A string under a name of its own, such as a problem's code, is plain.
func plain(key string, v slog.Value) (string, slog.Value, bool) {
	switch v.Kind() {
	case slog.KindString:
		return key, slog.StringValue(text(v.String())), true
	case slog.KindDuration:
		return key + "_ms", slog.Float64Value(float64(v.Duration().Round(time.Microsecond)) / float64(time.Millisecond)), true
	case slog.KindBool, slog.KindInt64, slog.KindUint64, slog.KindFloat64, slog.KindTime:
		return key, v, true
	case slog.KindAny:
		if named := reflect.ValueOf(v.Any()); named.Kind() == reflect.String {
			return key, slog.StringValue(text(named.String())), true
		}
	}
	return key, v, false
}

// text keeps a value on one short line.
func text(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
}
