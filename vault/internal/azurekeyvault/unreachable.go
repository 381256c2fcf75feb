package azurekeyvault

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"

	"mcp-partner/internal/httpclient"
	"mcp-partner/vault/internal/backend"
)

func (b *Backend) unreachable(err error, name string) error {
	var certificate *tls.CertificateVerificationError
	var sent *url.Error
	var network net.Error
	var proxy *httpclient.ProxyError
	switch {
	case errors.As(err, &proxy):
		return backend.Unavailable(name+" was not asked: "+proxy.Error()+".", proxy.Next)
	case errors.As(err, &certificate):
		return backend.Broken(name+" shows a certificate that is not trusted here.", "Give its authority with --ca-file when the backend is chosen.")
	case errors.Is(err, backend.ErrTooLarge):
		return backend.Broken(name+" gave an answer that is far too large.", "Check the URL and any proxy in between.")
	case errors.As(err, &sent) || errors.As(err, &network):
		return backend.Unavailable(name+" cannot be reached.", "Check the network and the firewall of the key vault; until then, cached tokens are used.")
	}
	return backend.Unavailable(name+" did not answer like a key vault.", "Check the URL and any proxy in between.")
}
