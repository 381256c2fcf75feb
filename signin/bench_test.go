package signin

import (
	"context"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

func BenchmarkTokenWarm(b *testing.B) {
	r := newRig(b, 1)
	credential, err := r.Credential(context.Background(), "", "")
	if err != nil {
		b.Fatal(err)
	}
	options := policy.TokenRequestOptions{Scopes: []string{"https://management.core.windows.net//.default"}, EnableCAE: true}
	for b.Loop() {
		if _, err := credential.GetToken(context.Background(), options); err != nil {
			b.Fatal(err)
		}
	}
}
