package azurecli

import (
	"strings"
	"testing"
	"time"
)

func TestTokenIsParsedFromAzOutput(t *testing.T) {
	t.Parallel()
	end := time.Unix(4000000000, 0).UTC()
	const object = `{"accessToken":"a.b.c","expires_on":4000000000,"tokenType":"Bearer"}`
	for name, output := range map[string]string{
		"alone":               object,
		"line before":         "WARNING: You have 2 updates available.\n" + object,
		"braces before":       "WARNING: {name} is deprecated, see {\"a\":1}\n" + object,
		"line after":          object + "\nDone.",
		"colours":             "\x1b[33mwarning\x1b[0m\n" + object + "\x1b[0m",
		"byte order mark":     "\xef\xbb\xbf" + object,
		"end as text":         strings.Replace(object, "4000000000", `"4000000000"`, 1),
		"end with a fraction": strings.Replace(object, "4000000000", "4000000000.25", 1),
		"over lines":          strings.ReplaceAll(object, ",", ",\r\n  "),
	} {
		got, err := DecodeToken([]byte(output))
		if err != nil || got.Token != "a.b.c" || !got.ExpiresOn.Equal(end) {
			t.Errorf("%s: %v, %v", name, got.ExpiresOn, err)
		}
	}
	for name, output := range map[string]string{
		"nothing": "", "words": "hello", "no token": `{"expires_on":4000000000}`, "no end": `{"accessToken":"a.b.c"}`,
		"end that is none": `{"accessToken":"a.b.c","expires_on":"soon"}`, "cut off": `{"accessToken":"a.b.c","expires_on":40`,
	} {
		if _, err := DecodeToken([]byte(output)); err == nil {
			t.Errorf("%s: a token was found", name)
		}
	}
}

// Only az says that nobody is signed in; no other failure is guessed at.
func TestOnlyAzReportsSignedOut(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		messages  string
		signedOut bool
	}{
		"signed out":         {"ERROR: Please run 'az login' to setup account.", true},
		"user not in cache":  {"ERROR: User 'x' does not exist in MSAL token cache. Run `az login`.", true},
		"no network":         {"ERROR: HTTPSConnectionPool(host='login.microsoftonline.com', port=443): Max retries exceeded", false},
		"proxy":              {"ERROR: ProxyError('Cannot connect to proxy.')", false},
		"certificate":        {"ERROR: CERTIFICATE_VERIFY_FAILED. Please run az feedback", false},
		"damaged cache":      {"ERROR: Can't get attribute; to reset it, run az account clear, then az login", false},
		"no interpreter":     {"/usr/bin/env: 'python3': No such file or directory", false},
		"nothing":            {"", false},
		"suggests a sign-in": {"ERROR: something. To re-authenticate, please run: az login --scope x", false},
	} {
		problem := Failed([]byte(test.messages), "az account show", "az login")
		if saysSo := strings.Contains(problem.Message, "Nobody is signed in"); saysSo != test.signedOut || problem.Retryable == test.signedOut {
			t.Errorf("%s: %+v", name, *problem)
		}
		want := "az account show"
		if test.signedOut {
			want = "az login"
		}
		if problem.Command != want {
			t.Errorf("%s: command %q, want %s", name, problem.Command, want)
		}
	}
}

func TestEntraNumberIsParsedFromAzOutput(t *testing.T) {
	t.Parallel()
	if got := EntraNumber([]byte("ERROR: AADSTS50076: Due to a change")); got != 50076 {
		t.Error(got)
	}
	if got := EntraNumber([]byte("ERROR: no number")); got != 0 {
		t.Error(got)
	}
}
