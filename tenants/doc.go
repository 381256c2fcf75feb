// Package tenants is the directory of customers: which tenants there are, which
// credentials act in each, and where those credentials may be sent. It holds no
// secret and sends nothing.
package tenants
