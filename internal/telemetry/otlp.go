package telemetry

import (
	"bytes"
	"cmp"
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

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/httpclient"
)

const otlpTimeout = 10 * time.Second

// whileBusy says how often a collector is asked again that is busy or away.
func whileBusy() policy.RetryOptions {
	return policy.RetryOptions{MaxRetries: 2, RetryDelay: 500 * time.Millisecond, MaxRetryDelay: 5 * time.Second,
		StatusCodes: []int{http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}}
}

// otlp sends spans over OTLP/HTTP. The library's own client would link 5 MB of
// gRPC for a POST.
type otlp struct {
	endpoint string
	header   http.Header
	timeout  time.Duration
	gzip     bool
	client   *http.Client
	pipeline runtime.Pipeline
}

// otlpFrom reads the standard variables and returns nil if they ask for no
// traces. Variables for traces override those for all signals.
func otlpFrom(env func(string) string) (*otlp, error) {
	get := func(name string) string {
		return cmp.Or(env("OTEL_EXPORTER_OTLP_TRACES_"+name), env("OTEL_EXPORTER_OTLP_"+name))
	}
	exporter := cmp.Or(env("OTEL_TRACES_EXPORTER"), "otlp")
	if strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") || get("ENDPOINT") == "" || exporter == "none" {
		return nil, nil
	}
	if exporter != "otlp" {
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
func (o *otlp) setEndpoint(env func(string) string) error {
	o.endpoint = cmp.Or(env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), strings.TrimRight(env("OTEL_EXPORTER_OTLP_ENDPOINT"), "/")+"/v1/traces")
	u, err := url.Parse(o.endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("OTEL_EXPORTER_OTLP_ENDPOINT is not an http or https URL")
	}
	// A proxy setting that names no proxy would stop every upload.
	_, err = httpclient.ProxyFromEnvironment(env).For(&http.Request{URL: u})
	return err
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

func (o *otlp) setClient(get, env func(string) string) error {
	options := httpclient.Options{Getenv: env}
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
	o.pipeline = runtime.NewPipeline("", "", runtime.PipelineOptions{}, &policy.ClientOptions{
		Transport: o.client, Retry: whileBusy(), Telemetry: policy.TelemetryOptions{Disabled: true},
	})
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
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	request, err := runtime.NewRequest(ctx, http.MethodPost, o.endpoint)
	if err != nil {
		return errors.New("the collector's URL cannot be used")
	}
	request.Raw().Header = o.header.Clone()
	if o.gzip {
		request.Raw().Header.Set("Content-Encoding", "gzip")
		body = zipped(body)
	}
	if err := request.SetBody(streaming.NopCloser(bytes.NewReader(body)), "application/x-protobuf"); err != nil {
		return errors.New("spans cannot be sent")
	}
	runtime.SkipBodyDownload(request)
	response, err := o.pipeline.Do(request)
	if err != nil {
		return errors.New("the collector could not be reached")
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection is used again
	_ = response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the collector answered %d", response.StatusCode)
	}
	return nil
}

func zipped(body []byte) []byte {
	var buffer bytes.Buffer
	w := gzip.NewWriter(&buffer)
	_, _ = w.Write(body) // a buffer takes everything
	_ = w.Close()
	return buffer.Bytes()
}
