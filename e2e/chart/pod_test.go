package chart

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// TestProgramStartsAsThePodHasIt runs the program in a root of its own with the
// arguments, the variables, the paths, the modes and the user of a rendered pod, on a
// PostgreSQL, and asks what its probes ask. Only ports differ.
func TestProgramStartsAsThePodHasIt(t *testing.T) {
	program := os.Getenv("CHART_PROGRAM")
	if program == "" {
		t.Skip("CHART_PROGRAM is not set: bash .ci/run chart builds the program and sets it")
	}
	if os.Getuid() != 0 {
		t.Fatal("only root can make a root of its own: bash .ci/run chart becomes root with sudo")
	}
	documents, err := render(values(object{"config": object{
		"tenants": []any{"*"},
		"policy":  []any{object{"name": "own IDs", "operations": []any{"write"}, "partner_ids": []any{"1234567"}, "answer": "ask: approver"}},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	pod := into[appsv1.Deployment](t, documents, "Deployment").Spec.Template.Spec
	p := &running{t: t, pod: pod, root: filepath.Join("/tmp", "chart-"+filepath.Base(filepath.Dir(t.TempDir()))), port: free(t)} // every directory above it is root's, as in a pod
	t.Cleanup(func() { os.RemoveAll(p.root) })
	p.furnish(program, into[corev1.ConfigMap](t, documents, "ConfigMap").Data["config.yaml"])
	p.start()
	for name, probe := range map[string]*corev1.Probe{"startup": pod.Containers[0].StartupProbe, "readiness": pod.Containers[0].ReadinessProbe, "liveness": pod.Containers[0].LivenessProbe} {
		p.waitFor(name, probe.HTTPGet)
	}
	if status := p.ask(&corev1.HTTPGetAction{Path: "/livez", HTTPHeaders: []corev1.HTTPHeader{{Name: "Host", Value: "other.example.com"}}}); status != http.StatusForbidden {
		t.Errorf("another name: %d", status)
	}
	if err := p.server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-p.ended; err != nil {
		t.Errorf("the server ended with %v\n%s", err, p.log.String())
	}
	// What the end interrupts is a warning; this server ends as soon as it is ready.
	if failed := regexp.MustCompile(`"level":"ERROR".*`).FindAllString(p.log.String(), -1); len(failed) > 0 {
		t.Errorf("the server fails: %v", failed)
	}
}

// running is a pod without a cluster.
type running struct {
	t          *testing.T
	pod        corev1.PodSpec
	root, port string
	server     *exec.Cmd
	log        bytes.Buffer
	ended      chan error
}

// furnish makes the pod's volumes, and the vault, which an operator makes outside of the
// cluster.
func (p *running) furnish(program, config string) {
	p.t.Helper()
	user := int(*p.pod.SecurityContext.RunAsUser)
	state := filepath.Join(p.t.TempDir(), "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		p.t.Fatal(err)
	}
	url := filepath.Join(state, "database-url")
	write(p.t, url, database(p.t), 0o600)
	if text, err := exec.Command(program, "vault", "init", "--state-dir", state, "--database-url-file", url).CombinedOutput(); err != nil {
		p.t.Fatalf("%v:\n%s", err, text)
	}
	for _, mount := range append(p.pod.Containers[0].VolumeMounts, corev1.VolumeMount{MountPath: "/"}) {
		if err := os.MkdirAll(filepath.Join(p.root, mount.MountPath), 0o755); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := os.Chown(filepath.Join(p.root, "state"), user, user); err != nil {
		p.t.Fatal(err)
	}
	write(p.t, filepath.Join(p.root, "config/config.yaml"), config, 0o444)
	for to, from := range map[string]string{"database/url": url, "vault/identity": filepath.Join(state, "vault.key")} {
		key := filepath.Join(p.root, to)
		write(p.t, key, read(p.t, from), 0o440)
		if err := os.Chown(key, 0, user); err != nil { // as fsGroup does
			p.t.Fatal(err)
		}
	}
	write(p.t, filepath.Join(p.root, "mcp-partner"), read(p.t, program), 0o755)
}

func (p *running) start() {
	p.t.Helper()
	user := uint32(*p.pod.SecurityContext.RunAsUser)
	var args []string
	for _, arg := range p.pod.Containers[0].Args {
		args = append(args, strings.NewReplacer(":8080", ":"+p.port, ":9090", ":0").Replace(arg))
	}
	p.server = exec.Command("/mcp-partner", args...)
	p.server.Dir, p.server.Env = "/", []string{"MCP_PARTNER_STATE_DIR=/state"} // the image's
	for _, variable := range p.pod.Containers[0].Env {
		p.server.Env = append(p.server.Env, variable.Name+"="+variable.Value)
	}
	p.server.SysProcAttr = &syscall.SysProcAttr{Chroot: p.root, Credential: &syscall.Credential{Uid: user, Gid: user}}
	p.server.Stdout, p.server.Stderr = io.Discard, &p.log
	if err := p.server.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.ended = make(chan error, 1)
	go func() { p.ended <- p.server.Wait() }()
}

// ask asks what a probe asks; 0 is no answer.
func (p *running) ask(action *corev1.HTTPGetAction) int {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://127.0.0.1:"+p.port+action.Path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, header := range action.HTTPHeaders {
		request.Host = header.Value
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

func (p *running) waitFor(name string, action *corev1.HTTPGetAction) {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); p.ask(action) != http.StatusOK; time.Sleep(100 * time.Millisecond) {
		select {
		case err := <-p.ended:
			p.t.Fatalf("the server ended: %v\n%s", err, p.log.String())
		default:
		}
		if time.Now().After(deadline) {
			_ = p.server.Process.Kill()
			p.t.Fatalf("%s: no answer: %v\n%s", name, <-p.ended, p.log.String())
		}
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// script runs a PostgreSQL in the folder $1 on port $2 until its input ends.
const script = `cd "$1"
initdb -D data --no-sync --auth=trust --username=postgres --encoding=UTF8 --locale=C.UTF-8 >log 2>&1
postgres -D data -p "$2" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off >>log 2>&1 &
until pg_isready -q -h 127.0.0.1 -p "$2"; do sleep 0.1; done
echo ready
read -r _ || true
kill -INT $!
wait`

// database starts a PostgreSQL and returns its URL.
func database(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		t.Fatal("PostgreSQL is not installed (Debian's package postgresql)")
	}
	folder, err := os.MkdirTemp("/tmp", "chart-postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chown(folder, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	port := free(t)
	command := exec.Command("/bin/sh", "-ec", script, "sh", folder, port)
	command.Env = []string{"PATH=" + found[len(found)-1] + ":/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	command.Dir = "/"
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { input.Close(); command.Wait() })
	if ready, _ := io.ReadFull(output, make([]byte, 6)); ready != 6 {
		t.Fatal("PostgreSQL does not start")
	}
	return fmt.Sprintf("postgresql://postgres@127.0.0.1:%s/postgres\n", port)
}
