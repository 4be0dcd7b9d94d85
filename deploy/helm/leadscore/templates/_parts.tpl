{{/* The labels of an object of a process: (dict "root" $ "name" "ingest"). */}}
{{- define "leadscore.labels" -}}
app.kubernetes.io/name: leadscore
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "leadscore.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "leadscore.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "leadscore.tmp" -}}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- end }}

{{/* The addresses of all services. */}}
{{- define "leadscore.targets" -}}
{{- range $name, $process := .Values.processes }}
{{- if and $process.protocol (ne $name "http") }}
- name: LEADSCORE_{{ upper $name }}_TARGET
  value: {{ printf "%s-%s:%v" $.Release.Name $name $process.port | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "leadscore.settings" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* The check of a process that starts or gets calls. */}}
{{- define "leadscore.check" -}}
{{- if eq (default "grpc" .protocol) "grpc" -}}
grpc: {port: {{ .port }}}
{{- else if eq .protocol "http" -}}
httpGet: {path: /health, port: {{ .port }}}
{{- else -}}
tcpSocket: {port: {{ .port }}}
{{- end }}
{{- end }}
