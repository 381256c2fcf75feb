package simulator

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// outcome is how much of an answer arrives.
type outcome int

const (
	delivered outcome = iota
	cut               // the connection breaks in the body
	dropped           // the connection breaks before the first byte
)

type answer struct {
	status  int
	header  http.Header
	body    []byte
	outcome outcome
	hold    time.Duration // how long it is held back
}

func jsonAnswer(status int, v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		return answer{status: http.StatusInternalServerError, header: http.Header{}}
	}
	return answer{status: status, body: body, header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}}
}

func htmlAnswer(status int) answer {
	page := "<!DOCTYPE html>\r\n<html><head><title>" + strconv.Itoa(status) + " " + http.StatusText(status) +
		"</title></head>\r\n<body><center><h1>" + strconv.Itoa(status) + " " + http.StatusText(status) +
		"</h1></center><hr><center>Microsoft-Azure-Application-Gateway/v2</center></body></html>\r\n"
	return answer{status: status, body: []byte(page), header: http.Header{"Content-Type": {"text/html"}}}
}

func emptyAnswer(status int) answer { return answer{status: status, header: http.Header{}} }

func (a answer) retryAfter(d time.Duration) answer {
	a.header.Set("Retry-After", strconv.Itoa(wholeSeconds(d)))
	return a
}

// deliver writes the answer, or as much of it as its outcome allows.
func (a answer) deliver(ctx context.Context, w http.ResponseWriter) {
	if sleep(ctx, a.hold) != nil || a.outcome == dropped {
		panic(http.ErrAbortHandler)
	}
	a.writeHeader(w)
	// An error means that the client has hung up.
	_, _ = w.Write(a.body)
	if a.outcome == cut {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// writeHeader announces more bytes than there are when the body is to be cut.
func (a *answer) writeHeader(w http.ResponseWriter) {
	length := len(a.body)
	if a.outcome == cut {
		length += 64
		a.body = a.body[:len(a.body)/2]
	}
	maps.Copy(w.Header(), a.header)
	if a.header.Get("Content-Type") == "" {
		w.Header()["Content-Type"] = nil // net/http would guess one
	}
	w.Header().Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(a.status)
}
