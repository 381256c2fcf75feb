package simulator_test

import (
	"context"
	"fmt"
	"log"

	"mcp-partner/simulator"
)

// A test of a client sets up the truth, places a fault, lets the client run
// against the server's URL and CA, and then compares what the client says with
// what was so.
func Example() {
	sim, err := simulator.New(simulator.Config{Tenants: 3, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	srv, err := sim.Start(context.Background(), "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()

	if err := sim.SetLink("contoso", "1234567"); err != nil {
		log.Fatal(err)
	}
	remove := sim.Inject(simulator.Rule{TenantID: "contoso", Kind: simulator.FaultLostAnswer, Method: "DELETE", Times: 1})
	defer remove()

	// Here the client removes the link, and gets no answer.

	contoso, _ := sim.Tenant("contoso")
	fmt.Println(contoso.PartnerID, contoso.State, len(sim.Journal()))
	// Output: 1234567 Active 0
}
