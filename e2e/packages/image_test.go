package packages

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// TestImage reads the Dockerfile as the builder does, with its own linter, and
// wants the last stage to be bare and to run as nobody in particular.
func TestImage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "deploy", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) { t.Errorf("%s: %s", rule, message) }})
	stages, _, err := instructions.Parse(parsed.AST, lint)
	if err != nil {
		t.Fatal(err)
	}
	last := stages[len(stages)-1]
	if last.BaseName != "scratch" {
		t.Errorf("the image is made from %s", last.BaseName)
	}
	var user, health, entry bool
	for _, command := range last.Commands {
		switch c := command.(type) {
		case *instructions.UserCommand:
			user = c.User != "" && c.User != "0" && !strings.HasPrefix(c.User, "root")
		case *instructions.HealthCheckCommand:
			health = len(c.Health.Test) > 1 && c.Health.Test[0] == "CMD"
		case *instructions.EntrypointCommand:
			entry = !c.PrependShell
		}
	}
	if !user || !health || !entry {
		t.Errorf("user %v, health check without a shell %v, entry point without a shell %v", user, health, entry)
	}
}

// TestComposition reads the composition as docker compose does.
func TestComposition(t *testing.T) {
	t.Parallel()
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "deploy", "compose.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var volumes, settings []string
	for _, name := range []string{"a", "b"} {
		service, err := project.GetService(name)
		if err != nil {
			t.Fatal(err)
		}
		hardened := service.ReadOnly && service.User == "65532:65532" && slices.Equal(service.CapDrop, []string{"ALL"}) &&
			slices.Contains(service.SecurityOpt, "no-new-privileges:true") && len(service.Ports) == 0
		if !hardened {
			t.Errorf("%s is not as closed as it could be: %+v", name, service)
		}
		for _, volume := range service.Volumes {
			if volume.Type == types.VolumeTypeVolume && volume.Target == "/state" {
				volumes = append(volumes, volume.Source)
			}
			if volume.Target == "/state/config.yaml" && volume.ReadOnly {
				settings = append(settings, volume.Source)
			}
		}
		if _, err := os.Stat(filepath.Join(service.Build.Context, service.Build.Dockerfile)); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(volumes, []string{"state", "state"}) {
		t.Errorf("the two servers do not share one state: %v", volumes)
	}
	if len(settings) != 2 || settings[0] != settings[1] {
		t.Fatalf("the two servers do not share config.yaml: %v", settings)
	}
	run(t, t.TempDir(), built(t, root, "", "linux", "amd64"), "tools", "--config", settings[0], "--state-dir", t.TempDir())
	proxy, err := project.GetService("proxy")
	if err != nil || len(proxy.Ports) != 1 || len(proxy.DependsOn) != 2 {
		t.Errorf("the proxy: %v, %+v", err, proxy)
	}
}

// With PostgreSQL the servers keep nothing: what they write is in the database.
func TestCompositionOnPostgreSQLHasNoVolumeOfTheServers(t *testing.T) {
	t.Parallel()
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "deploy", "compose.yaml"), filepath.Join(root, "deploy", "compose.postgres.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		service, err := project.GetService(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(service.Volumes) != 1 || service.Volumes[0].Target != "/state/config.yaml" || !service.Volumes[0].ReadOnly || !service.ReadOnly {
			t.Errorf("%s writes to its own disk: %+v", name, service.Volumes)
		}
		given := map[string]bool{}
		for _, secret := range service.Secrets {
			given["/run/secrets/"+secret.Source] = true
		}
		for _, variable := range []string{"MCP_PARTNER_DATABASE_URL_FILE", "MCP_PARTNER_IDENTITY_FILE"} {
			if file := service.Environment[variable]; file == nil || !given[*file] {
				t.Errorf("%s of %s is no secret of it", variable, name)
			}
		}
		if _, waits := service.DependsOn["db"]; !waits || service.Environment["MCP_PARTNER_ALLOWED_HOSTS"] == nil {
			t.Errorf("%s: %+v", name, service)
		}
	}
	db, err := project.GetService("db")
	if err != nil || len(db.Ports) != 0 || !slices.Contains(db.Command, "ssl=on") {
		t.Errorf("the database: %v, %+v", err, db)
	}
}
