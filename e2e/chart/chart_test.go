package chart

import (
	"maps"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const dir = "../../deploy/chart"

type object = map[string]any

// values are the least that the chart takes, with changes.
func values(changes object) object {
	v := object{
		"image": object{"repository": "registry.example/mcp-partner"}, "hosts": []any{"partner.example.com"},
		"database": object{"secret": "partner-database", "key": "url"}, "vault": object{"secret": "partner-vault", "key": "identity"},
	}
	maps.Copy(v, changes)
	return v
}

// render returns the documents of the chart by kind.
func render(v object) (map[string]string, error) {
	c, err := loader.Load(dir)
	if err != nil {
		return nil, err
	}
	whole, err := chartutil.ToRenderValues(c, v, chartutil.ReleaseOptions{Name: "eu", Namespace: "partner", IsInstall: true, Revision: 1}, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(c, whole)
	found := map[string]string{}
	for name, text := range files {
		for document := range strings.SplitSeq(text, "\n---\n") {
			if kind := regexp.MustCompile(`(?m)^kind: (\w+)$`).FindStringSubmatch(document); kind != nil {
				found[kind[1]] = document
			}
		}
		if strings.HasSuffix(name, "NOTES.txt") {
			found["NOTES"] = text
		}
	}
	return found, err
}

// into decodes a document, in which every field must be known to Kubernetes.
func into[T any](t *testing.T, documents map[string]string, kind string) (decoded T) {
	t.Helper()
	text, ok := documents[kind]
	if !ok {
		t.Fatalf("there is no %s", kind)
	}
	if err := yaml.UnmarshalStrict([]byte(text), &decoded); err != nil {
		t.Fatalf("%s: %v\n%s", kind, err, text)
	}
	return decoded
}

func TestChartIsLinted(t *testing.T) {
	linted := lint.All(dir, values(nil), "partner", true)
	for _, message := range linted.Messages {
		if message.Severity >= support.WarningSev {
			t.Error(message)
		}
	}
	if bad := lint.All(dir, object{}, "partner", true); bad.HighestSeverity < support.ErrorSev { // the control: values that are missing
		t.Errorf("nothing is wrong without values: %v", bad.Messages)
	}
}

func TestRenderedDocumentsAreWhatKubernetesKnows(t *testing.T) {
	documents, err := render(values(object{
		"ingress": object{"enabled": true, "className": "nginx", "tlsSecret": "partner-tls", "annotations": object{"a": "b"}}, "env": []any{object{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}},
		"imagePullSecrets": []any{object{"name": "pull"}}, "nodeSelector": object{"kubernetes.io/arch": "arm64"}, "podAnnotations": object{"x": "y"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	deployment := into[appsv1.Deployment](t, documents, "Deployment")
	into[corev1.ConfigMap](t, documents, "ConfigMap")
	service := into[corev1.Service](t, documents, "Service")
	into[policyv1.PodDisruptionBudget](t, documents, "PodDisruptionBudget")
	if rules := into[networkingv1.Ingress](t, documents, "Ingress").Spec.Rules; len(rules) != 1 || rules[0].Host != "partner.example.com" {
		t.Errorf("%+v", rules)
	}
	pod := deployment.Spec.Template
	for name, value := range service.Spec.Selector {
		if pod.Labels[name] != value || deployment.Spec.Selector.MatchLabels[name] != value {
			t.Errorf("the service selects %s=%s, the pod has %q", name, value, pod.Labels[name])
		}
	}
	container := pod.Spec.Containers[0]
	if s := container.SecurityContext; !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || s.Capabilities.Drop[0] != "ALL" || !*pod.Spec.SecurityContext.RunAsNonRoot || *pod.Spec.AutomountServiceAccountToken {
		t.Errorf("%+v", s)
	}
	for _, mount := range container.VolumeMounts {
		if !mount.ReadOnly && mount.Name != "state" {
			t.Errorf("%s is writable", mount.MountPath)
		}
	}
	if !strings.Contains(documents["NOTES"], "https://partner.example.com/mcp") {
		t.Errorf("the notes: %s", documents["NOTES"])
	}
}

func TestValuesThatCannotWorkAreRefused(t *testing.T) {
	for name, changes := range map[string]object{
		"no image":             {"image": object{"repository": ""}},
		"a tag as a digest":    {"image": object{"repository": "r", "digest": "latest"}},
		"no host":              {"hosts": []any{}},
		"a URL as a host":      {"hosts": []any{"https://partner.example.com"}},
		"no database":          {"database": object{"secret": "", "key": "url"}},
		"no vault":             {"vault": object{"secret": "", "key": "identity"}},
		"a password":           {"database": object{"secret": "s", "key": "url", "password": "hunter2"}},
		"another database":     {"config": object{"database-url-file": "/else"}},
		"hosts in two places":  {"config": object{"allowed-hosts": []any{"x"}}},
		"no replica":           {"replicas": 0},
		"an ingress in clear":  {"ingress": object{"enabled": true}},
		"a value nobody knows": {"replica": 3},
	} {
		if _, err := render(values(changes)); err == nil || !strings.Contains(err.Error(), "schema") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := render(values(nil)); err != nil { // the control
		t.Error(err)
	}
}
