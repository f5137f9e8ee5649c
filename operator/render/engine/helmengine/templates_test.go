package helmengine

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
)

var sample = map[string]string{
	"Chart.yaml":       "apiVersion: v2\nname: web\nversion: 1.0.0\nannotations: {a: b}\n",
	"values.yaml":      "x: 1\ntext: 'a {{ .Values.x }} {{ include \"web.name\" . }}'\nplain: no actions <no value>\nblank: '{{/* none */}}'\ndefines: '{{ define \"web.late\" }}late {{ .Values.x }}{{ end }}{{ include \"web.late\" . }}'\nnested: '{{ tpl .Values.text . }}'\n",
	"data.txt":         "one\ntwo\n",
	"templates/_h.tpl": `{{ define "web.name" }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}`,
	"templates/a.yaml": `{{ range $k := list "text" "plain" "blank" "defines" "nested" }}
{{ $k }}: {{ tpl (index $.Values $k) $ | quote }}
again: {{ tpl (index $.Values $k) $ | quote }}{{ end }}
missing: {{ .Values.none }} {{ .Values.none | default "d" }}
files: {{ .Files.Get "data.txt" | quote }} {{ (.Files.Glob "*.txt").AsConfig | quote }} {{ .Files.Lines "data.txt" }}
yaml: {{ toYaml .Values | nindent 2 }}
chart: {{ .Chart.Annotations }} {{ .Template.Name }} {{ .Template.BasePath }} {{ .Subcharts | len }}
dns: {{ getHostByName "localhost" }} {{ lookup "v1" "Pod" "" "" }}`,
	"templates/NOTES.txt":        "Notes {{ .Release.Name }}",
	"charts/db/Chart.yaml":       "apiVersion: v2\nname: db\nversion: 1.0.0\n",
	"charts/db/values.yaml":      "y: 2\n",
	"charts/db/templates/b.yaml": `{{ template "web.name" . }} {{ .Values.y }} {{ .Values.global }} {{ .Chart.IsRoot }}`,
}

var failing = []string{
	`{{ fail "no" }}`,
	"a\n  {{ required \"set it\" .Values.none }}",
	`{{ if }}`,
	`{{ include "nowhere" . }}`,
	`{{ tpl "{{ fail \"inside\" }}" . }}`,
	`{{ tpl "{{ if }}" . }}`,
	`{{ .Values.x.y.z }}`,
	`{{ mustToDate "a" "b" }}`,
	`{{ index (list 1) 5 }}`,
}

func load(t *testing.T, files map[string]string) *chart.Chart {
	t.Helper()
	var buffered []*archive.BufferedFile
	for name, text := range files {
		buffered = append(buffered, &archive.BufferedFile{Name: name, Data: []byte(text)})
	}
	c, err := loader.LoadFiles(buffered)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func valuesFor(t *testing.T, c *chart.Chart) common.Values {
	t.Helper()
	if err := chartutil.ProcessDependencies(c, map[string]any{}); err != nil {
		t.Fatal(err)
	}
	options := common.ReleaseOptions{Name: "sample", Namespace: "ns", Revision: 1, IsInstall: true}
	values, err := util.ToRenderValues(c, map[string]any{"global": map[string]any{"g": 1}}, options, nil)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func both(t *testing.T, files map[string]string) (helms, ours map[string]string, helmErr, ourErr error) {
	t.Helper()
	c := load(t, files)
	helms, helmErr = engine.Render(c, valuesFor(t, c))
	c = load(t, files)
	scope, err := Scope(c, valuesFor(t, c))
	if err != nil {
		t.Fatal(err)
	}
	set, err := Parse(scope)
	if err != nil {
		return helms, nil, helmErr, err
	}
	for range 2 { // the second time with what the first one kept
		if ours, ourErr = set.Render(scope, 1<<20); ourErr != nil {
			break
		}
	}
	return helms, ours, helmErr, ourErr
}

func TestRendersWhatHelmRenders(t *testing.T) {
	helms, ours, helmErr, ourErr := both(t, sample)
	if helmErr != nil || ourErr != nil {
		t.Fatal(helmErr, ourErr)
	}
	if len(helms) != len(ours) || len(ours) != 3 {
		t.Fatalf("%d files, helm %d", len(ours), len(helms))
	}
	for name, text := range helms {
		if ours[name] != text {
			t.Errorf("%s:\n%s\nhelm:\n%s", name, ours[name], text)
		}
	}
}

func TestFailsAsHelmFails(t *testing.T) {
	for _, template := range failing {
		files := map[string]string{"templates/bad.yaml": template}
		for name, text := range sample {
			files[name] = text
		}
		_, _, helmErr, ourErr := both(t, files)
		if helmErr == nil || ourErr == nil {
			t.Errorf("%s: %v, helm: %v", template, ourErr, helmErr)
		} else if helmErr.Error() != ourErr.Error() {
			t.Errorf("%s:\n%v\nhelm:\n%v", template, ourErr, helmErr)
		}
	}
}

func TestEndlessTemplatesAreToldShortly(t *testing.T) {
	for template, circle := range map[string]string{
		`{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`:                                             "a, a",
		`{{ define "a" }}{{ include "b" . }}{{ end }}{{ define "b" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`: "a, b, a",
		`{{ tpl .Values.again . }}`: "tpl, tpl",
		`{{ define "a" }}{{ tpl "{{ include \"a\" . }}" . }}{{ end }}{{ include "a" . }}`: "a, tpl, a",
	} {
		c := load(t, map[string]string{
			"Chart.yaml":         sample["Chart.yaml"],
			"values.yaml":        "again: '{{ tpl .Values.again . }}'\n",
			"templates/bad.yaml": template,
		})
		scope, err := Scope(c, valuesFor(t, c))
		if err != nil {
			t.Fatal(err)
		}
		set, err := Parse(scope)
		if err != nil {
			t.Fatal(err)
		}
		_, err = set.Render(scope, 1<<20)
		if err == nil {
			t.Errorf("%s: rendered", template)
			continue
		}
		told := err.Error()
		if !strings.Contains(told, "templates include each other without end: "+circle) ||
			!strings.Contains(told, "web/templates/bad.yaml:1:") || len(told) > 500 {
			t.Errorf("%s: %.1000s", template, told)
		}
	}
}

func TestOutputIsBounded(t *testing.T) {
	for _, template := range []string{
		`{{ range until 1000 }}0123456789{{ end }}`,
		`{{ define "a" }}{{ range until 1000 }}0123456789{{ end }}{{ end }}{{ $x := include "a" . }}`,
		`{{ $x := tpl "{{ range until 1000 }}0123456789{{ end }}" . }}`,
	} {
		c := load(t, map[string]string{"Chart.yaml": sample["Chart.yaml"], "templates/a.yaml": template})
		scope, err := Scope(c, valuesFor(t, c))
		if err != nil {
			t.Fatal(err)
		}
		set, err := Parse(scope)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := set.Render(scope, 5000); err != ErrOutputTooLarge {
			t.Errorf("%s: %v", template, err)
		}
	}
}

// The files here are copies of Helm's at one version; whoever upgrades Helm has to compare them again.
func TestIsACopyOfTheHelmInUse(t *testing.T) {
	module, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	used := regexp.MustCompile(`helm\.sh/helm/v4 (v\S+)`).FindStringSubmatch(string(module))
	if used == nil || !strings.Contains(string(doc), "helm.sh/helm/v4 "+used[1]+",") {
		t.Errorf("doc.go names another version of Helm than go.mod: %v", used)
	}
}
