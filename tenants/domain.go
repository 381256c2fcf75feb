package tenants

import "net/url"

// IsDomain reports whether a directory entry may have this as a domain.
func IsDomain(text string) bool { return CheckDomain(text) == nil }

// AuthorityHost is the host at which credentials of this cloud sign in, or empty
// where there is none.
func (c Cloud) AuthorityHost() string {
	whole, err := c.Normal()
	if err != nil {
		return ""
	}
	u, err := url.Parse(whole.Authority)
	if err != nil {
		return ""
	}
	return u.Host
}
