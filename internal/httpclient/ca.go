package httpclient

// CheckCA refuses a file of certificate authorities without any, with
// ErrNoCertificate: it would widen the trust that it is to narrow.
func CheckCA(pem []byte) error {
	pool, err := certPool(pem)
	if err == nil && pool == nil {
		return ErrNoCertificate
	}
	return err
}
