{{- define "mcp-partner.name" -}}
{{ printf "%s-mcp-partner" .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "mcp-partner.selector" -}}
app.kubernetes.io/name: mcp-partner
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mcp-partner.labels" -}}
{{ include "mcp-partner.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* A probe asks as a client does: the server refuses names that it does not know. */}}
{{- define "mcp-partner.probe" -}}
httpGet:
  path: {{ .path }}
  port: http
  httpHeaders:
    - {name: Host, value: {{ .host | quote }}}
{{- end }}
