package hashicorp

import (
	"errors"
	"net"
	"net/url"
)

// isTransport reports whether an error came before there was an answer.
func isTransport(err error) bool {
	var sent *url.Error
	var network net.Error
	return errors.As(err, &sent) || errors.As(err, &network)
}
