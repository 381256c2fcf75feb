package database

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestURLOfAServer(t *testing.T) {
	t.Parallel()
	const secret = "canary"
	missing := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(filepath.Join(filepath.Dir(missing), "none.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ url, refused string }{
		"verified by default":       {"postgresql://u:canary@db.example.com/app", ""},
		"verified as told":          {"postgres://u:canary@db.example.com/app?sslmode=verify-full\n", ""},
		"this machine, plain":       {"postgresql://u:canary@127.0.0.1:5433/app", ""},
		"this machine, IPv6":        {"postgresql://u:canary@[::1]/app?sslmode=disable", ""},
		"a socket":                  {"postgresql://u:canary@/app?host=/run/postgresql", ""},
		"no name checked":           {"postgresql://u:canary@db.example.com/app?sslmode=verify-ca", "verification"},
		"nothing checked":           {"postgresql://u:canary@db.example.com/app?sslmode=require", "verification"},
		"falls back":                {"postgresql://u:canary@db.example.com/app?sslmode=prefer", "verification"},
		"plain":                     {"postgresql://u:canary@db.example.com/app?sslmode=disable", "verification"},
		"one of two is not checked": {"postgresql://u:canary@127.0.0.1,db.example.com/app?sslmode=prefer", "verification"},
		"another host in a query":   {"postgresql://u:canary@127.0.0.1/app?host=db.example.com", "verification"},
		"an unknown mode":           {"postgresql://u:canary@db.example.com/app?sslmode=canary", "parameter"},
		"a CA that is not there":    {"postgresql://u:canary@db.example.com/app?sslrootcert=" + missing, missing},
		"another database":          {"mysql://u:canary@db.example.com/app", "form"},
		"keywords":                  {"host=db.example.com password=canary", "form"},
		"no URL":                    {"postgresql://u:canary@db.example.com:port/app", "form"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := ParseURL(test.url)
			switch {
			case test.refused == "" && err != nil:
				t.Error(err)
			case test.refused != "" && (err == nil || !strings.Contains(err.Error(), test.refused)):
				t.Errorf("error %v", err)
			case err != nil && strings.Contains(strings.ReplaceAll(err.Error(), missing, ""), secret):
				t.Errorf("the password is in %v", err)
			case err == nil && strings.Contains(server.Name(), secret):
				t.Errorf("the password is in %s", server.Name())
			}
		})
	}
}
