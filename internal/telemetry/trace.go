package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

// closeLimit bounds the upload of the last spans.
const closeLimit = 5 * time.Second

// Tracing sends spans to a collector. That of a nil *Tracing sends none and
// costs nothing.
type Tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// StartTracing sends spans if OpenTelemetry's standard variables ask for it. It
// returns nil if they are not set, and an error if they ask for something that
// is not supported.
func StartTracing(env func(string) string, version string, log *slog.Logger) (*Tracing, error) {
	o, err := otlpFrom(env)
	if err != nil || o == nil {
		return nil, err
	}
	exporter, err := otlptrace.New(context.Background(), o)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(context.Background(), resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "mcp-partner"), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES cannot be read")
	}
	// The library reports failed exports only here. It is set once per process.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) { log.Warn("traces could not be sent; they are dropped") }))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return &Tracing{provider: provider, tracer: provider.Tracer("mcp-partner")}, nil
}

// Close sends the remaining spans.
func (t *Tracing) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // told to the error handler
}

// Remote attaches the spans of a request to the trace that the request names in
// its _meta, which the caller wrote, else in its headers.
func (t *Tracing) Remote(ctx context.Context, meta, header func(string) string) context.Context {
	if t == nil {
		return ctx
	}
	for _, get := range []func(string) string{meta, header} {
		if get == nil {
			continue
		}
		with := propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": get("traceparent"), "tracestate": get("tracestate")})
		if trace.SpanContextFromContext(with).IsValid() {
			return with
		}
	}
	return ctx
}

// TraceID is the ID of the trace that a context is part of, or "".
func TraceID(ctx context.Context) string {
	if id := trace.SpanContextFromContext(ctx).TraceID(); id.IsValid() {
		return id.String()
	}
	return ""
}

// start begins a span; end gives it a problem's code, or "".
func (t *Tracing) start(ctx context.Context, name string, kind trace.SpanKind, about ...attribute.KeyValue) (context.Context, func(code string, more ...attribute.KeyValue)) {
	if t == nil {
		return ctx, func(string, ...attribute.KeyValue) {}
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(about...))
	return ctx, func(code string, more ...attribute.KeyValue) {
		span.SetAttributes(more...)
		if code != "" {
			span.SetAttributes(attribute.String("error.type", code))
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Observer reports the steps of a call to metrics and traces. Either may be nil.
type Observer struct {
	Metrics *Metrics
	Tracing *Tracing
	// RequestID returns the ID of a context's request.
	RequestID func(context.Context) string
}

// Begin implements tools.Observer.
func (o *Observer) Begin(ctx context.Context, tool string) (context.Context, func(outcome string, code problems.Code, took time.Duration)) {
	if _, known := schemas.Lookup(tool); !known {
		tool = other
	}
	ctx, end := o.Tracing.start(ctx, "tools/call "+tool, trace.SpanKindServer,
		attribute.String("mcp.method.name", "tools/call"), attribute.String("gen_ai.tool.name", tool), attribute.String("mcp_partner.request_id", o.RequestID(ctx)))
	return ctx, func(outcome string, code problems.Code, took time.Duration) {
		o.Metrics.Call(tool, outcome, string(code), took)
		end(string(code), attribute.String("mcp_partner.outcome", outcome))
	}
}

// Step implements tools.Observer: a part of a call, such as what the guard
// decides.
func (o *Observer) Step(ctx context.Context, name string) (context.Context, func(error)) {
	ctx, end := o.Tracing.start(ctx, name, trace.SpanKindInternal)
	return ctx, func(err error) {
		code := ""
		if err != nil {
			code = string(problems.As(err).Code)
		}
		end(code)
	}
}

// ARM is armclient's Observe: one request that leaves for Azure Resource
// Manager. The trace's context is not sent along.
func (o *Observer) ARM(ctx context.Context, method string) (context.Context, func(status int)) {
	began := time.Now()
	ctx, end := o.Tracing.start(ctx, "ARM "+strings.ToUpper(method), trace.SpanKindClient, attribute.String("http.request.method", method))
	return ctx, func(status int) {
		o.Metrics.ARM(method, status, time.Since(began))
		code := ""
		if status >= http.StatusBadRequest || status == 0 {
			code = statusLabel(status)
		}
		end(code, attribute.Int("http.response.status_code", status))
	}
}
