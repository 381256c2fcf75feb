package armclient

import (
	"context"

	"mcp-partner/guard"
)

// record is what the gate saw of one call, for the layer above. A call runs in
// one goroutine, its retries included, so nothing is locked.
type record struct {
	claims claims
	// readable is whether the token of the last request could be decoded.
	readable bool
	// wrote counts the requests that were let through and are no GET, less those
	// of which a claims challenge said that they were not carried out.
	wrote int
	// undelivered: no connection could be made for the last request, so nothing
	// of it left.
	undelivered bool
	// status and the IDs are those of the last answer; 0 without one.
	status                   int
	requestID, correlationID string
	// echoed: the last answer held the token, or what looks like one, which was
	// taken out.
	echoed bool
	// challenged: a claims challenge was the answer to a write.
	challenged bool
	// retryAfter is what the last answer asked for, in seconds; 0 for nothing.
	retryAfter int
}

// The pipeline hands nothing else down than the request and its context, with
// Microsoft's generated client too.
type (
	recordKey struct{}
	permitKey struct{}
)

func withRecord(ctx context.Context) (context.Context, *record) {
	r := &record{}
	return context.WithValue(ctx, recordKey{}, r), r
}

// recordOf never returns nil: without a record in the context it returns a new
// one.
func recordOf(ctx context.Context) *record {
	if r, ok := ctx.Value(recordKey{}).(*record); ok {
		return r
	}
	return &record{}
}

func withPermit(ctx context.Context, permit guard.Permit) context.Context {
	return context.WithValue(ctx, permitKey{}, permit)
}

// permitOf returns the permit of the context, or the zero permit, which allows
// nothing.
func permitOf(ctx context.Context) guard.Permit {
	permit, _ := ctx.Value(permitKey{}).(guard.Permit)
	return permit
}
