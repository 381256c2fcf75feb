package telemetry

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/httpclient"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const (
	otlpTimeout = 10 * time.Second
	// otlpTries and otlpPause are for busy collectors.
	otlpTries = 3
	otlpPause = 500 * time.Millisecond
	maxPause  = 5 * time.Second
)

// otlp sends spans over OTLP/HTTP. The library's own client would link 5 MB of
// gRPC for a POST.
type otlp struct {
	endpoint string
	header   http.Header
	timeout  time.Duration
	gzip     bool
	client   *http.Client
}

// otlpFrom reads the standard variables and returns nil if they ask for no
// traces. Variables for traces override those for all signals.
func otlpFrom(env func(string) (string, bool)) (*otlp, error) {
	get := func(name string) string {
		if value, ok := env("OTEL_EXPORTER_OTLP_TRACES_" + name); ok && value != "" {
			return value
		}
		value, _ := env("OTEL_EXPORTER_OTLP_" + name)
		return value
	}
	if disabled, _ := env("OTEL_SDK_DISABLED"); strings.EqualFold(disabled, "true") || get("ENDPOINT") == "" {
		return nil, nil
	}
	if exporter, _ := env("OTEL_TRACES_EXPORTER"); exporter == "none" {
		return nil, nil
	} else if exporter != "" && exporter != "otlp" {
		return nil, errors.New("OTEL_TRACES_EXPORTER is neither otlp nor none")
	}
	if protocol := get("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return nil, errors.New("OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf is supported")
	}
	o := &otlp{timeout: otlpTimeout, gzip: get("COMPRESSION") == "gzip"}
	return o, errors.Join(o.setEndpoint(env), o.setHeader(get("HEADERS")), o.setTimeout(get("TIMEOUT")), o.setClient(get, env))
}

// setEndpoint uses the endpoint for traces unchanged, and adds the path to the
// common one.
func (o *otlp) setEndpoint(env func(string) (string, bool)) error {
	o.endpoint, _ = env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	if o.endpoint == "" {
		base, _ := env("OTEL_EXPORTER_OTLP_ENDPOINT")
		o.endpoint = strings.TrimRight(base, "/") + "/v1/traces"
	}
	u, err := url.Parse(o.endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("OTEL_EXPORTER_OTLP_ENDPOINT is not an http or https URL")
	}
	// A proxy setting that names no proxy would stop every upload.
	_, err = httpclient.ProxyFromEnvironment(getter(env)).For(&http.Request{URL: u})
	return err
}

// getter is an environment in which what is not set is empty.
func getter(env func(string) (string, bool)) func(string) string {
	return func(name string) string { value, _ := env(name); return value }
}

func (o *otlp) setHeader(text string) error {
	o.header = http.Header{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !found || name == "" || err != nil {
			return errors.New("OTEL_EXPORTER_OTLP_HEADERS is not name=value,name=value")
		}
		o.header.Set(name, value)
	}
	return nil
}

func (o *otlp) setTimeout(text string) error {
	if text == "" {
		return nil
	}
	millis, err := strconv.Atoi(text)
	if err != nil || millis <= 0 {
		return errors.New("OTEL_EXPORTER_OTLP_TIMEOUT is not a number of milliseconds")
	}
	o.timeout = time.Duration(millis) * time.Millisecond
	return nil
}

// maxCAFile bounds a file of certificate authorities, in bytes.
const maxCAFile = 1 << 20

func (o *otlp) setClient(get func(string) string, env func(string) (string, bool)) error {
	options := httpclient.Options{Getenv: getter(env)}
	if path := get("CERTIFICATE"); path != "" {
		content, err := disk.ReadTrusted(path, disk.Unchanged, maxCAFile)
		if err != nil || httpclient.CheckCA(content) != nil {
			return errors.New("OTEL_EXPORTER_OTLP_CERTIFICATE is not a readable certificate")
		}
		options.CAPEM = content
	}
	if cert, key := get("CLIENT_CERTIFICATE"), get("CLIENT_KEY"); cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return errors.New("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY are not a readable pair")
		}
		options.Certificates = []tls.Certificate{pair}
	}
	var err error
	o.client, err = httpclient.New(options)
	return err
}

// Start implements otlptrace.Client.
func (*otlp) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (o *otlp) Stop(context.Context) error {
	o.client.CloseIdleConnections()
	return nil
}

// UploadTraces implements otlptrace.Client. TracesData has the wire form of a
// collector's request.
func (o *otlp) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return errors.New("spans cannot be encoded")
	}
	if o.gzip {
		body = zipped(body)
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	for try := 1; ; try++ {
		wait, err := o.post(ctx, body)
		if err == nil || wait == 0 || try == otlpTries || !sleep(ctx, wait) {
			return err
		}
	}
}

func zipped(body []byte) []byte {
	var buffer bytes.Buffer
	w := gzip.NewWriter(&buffer)
	_, _ = w.Write(body) // a buffer takes everything
	_ = w.Close()
	return buffer.Bytes()
}

// post sends once. wait is the pause before the next attempt, 0 if there is no
// further one.
func (o *otlp) post(ctx context.Context, body []byte) (wait time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.endpoint, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the collector's URL cannot be used")
	}
	request.Header = o.header.Clone()
	request.Header.Set("Content-Type", "application/x-protobuf")
	if o.gzip {
		request.Header.Set("Content-Encoding", "gzip")
	}
	response, err := o.client.Do(request)
	if err != nil {
		return otlpPause, errors.New("the collector could not be reached")
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection is used again
	switch code := response.StatusCode; {
	case code >= 200 && code < 300:
		return 0, nil
	case code == http.StatusTooManyRequests || code == http.StatusBadGateway || code == http.StatusServiceUnavailable || code == http.StatusGatewayTimeout:
		return pauseOf(response.Header), fmt.Errorf("the collector answered %d", code)
	default:
		return 0, fmt.Errorf("the collector answered %d", code)
	}
}

func pauseOf(h http.Header) time.Duration {
	if seconds, err := strconv.Atoi(h.Get("Retry-After")); err == nil && seconds > 0 {
		return min(time.Duration(seconds)*time.Second, maxPause)
	}
	return otlpPause
}

func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
