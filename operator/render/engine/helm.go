package main

import (
	"cmp"
	"errors"
	"fmt"
	"log"
	"path"
	"slices"
	"strconv"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
)

// renderHelm renders a chart as `helm template --include-crds --skip-tests` does, with the capabilities of the
// cluster.
func (e *engine) renderHelm(req *request, texts [][]byte, hide *redaction) (*result, error) {
	values, err := mergeValues(req.Values, texts, hide)
	if err != nil {
		return nil, err
	}
	assembly := e.newAssembly()
	if len(req.Trees) != 1 {
		return nil, fmt.Errorf("a request for a chart with %d trees", len(req.Trees))
	}
	root, err := assembly.trees.get(req.Trees[0])
	if err != nil {
		return nil, err
	}
	assembly.packed = root.packed
	c, err := assembly.chart(req.Path, root, nil)
	if err != nil {
		return nil, err
	}
	if err := checkChart(c, req); err != nil {
		return nil, err
	}
	sources, err := e.chartSources(c, values, req, assembly)
	if err != nil {
		return nil, err
	}
	res, err := finish(req, sources)
	if err != nil {
		return nil, err
	}
	res.Chart = &chartName{Name: c.Name(), Version: c.Metadata.Version, AppVersion: c.Metadata.AppVersion}
	return res, nil
}

// chartSources are the objects of a chart that was put together.
func (e *engine) chartSources(c *chart.Chart, values map[string]any, req *request, assembly *assembly) ([]source, error) {
	top, err := renderValues(c, values, req, assembly)
	if err != nil {
		return nil, err
	}
	templates := map[string]string{}
	locateTemplates(c, assembly.where, templates)
	rendered, err := renderTemplates(c, top, req, templates)
	if err != nil {
		return nil, err
	}
	merged, err := top.Table("Values")
	if err != nil {
		return nil, err
	}
	asked.noteLists(c, merged)
	if err := refuseReadPointers(c, rendered, assembly.where); err != nil {
		return nil, err
	}
	next := correctInGit
	if assembly.packed {
		next = "Correct the values, or use another version of the chart."
	}
	return e.sourcesOf(c, rendered, templates, assembly.where, next)
}

func checkChart(c *chart.Chart, req *request) error {
	if c.Metadata.Type == "library" {
		return fail("ChartInvalid", "The chart %s in %s is a library chart, which renders nothing by itself. Name an application chart in its place.", c.Name(), shown(req.Path))
	}
	if want := c.Metadata.KubeVersion; want != "" {
		asked.note("kubeVersion")
		version, err := common.ParseKubeVersion(req.KubeVersion)
		if err != nil {
			return fmt.Errorf("parse Kubernetes version %q: %w", req.KubeVersion, err)
		}
		if !chartutil.IsCompatibleRange(want, version.String()) {
			return fail("KubeVersionUnsupported", "Chart %s %s needs Kubernetes %s, and the cluster has %s. Use a version of the chart for this cluster.", c.Name(), c.Metadata.Version, want, version.Version)
		}
	}
	return nil
}

// renderValues decides which subcharts take part and returns what templates see: values, release, capabilities.
func renderValues(c *chart.Chart, values map[string]any, req *request, from *assembly) (common.Values, error) {
	from.declare(c)
	from.locked = lockOf(c)
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return nil, fail("ValuesInvalid", "The values do not fit the dependencies of chart %s: %s.", c.Name(), err)
	}
	if err := from.missingDependencies(c); err != nil {
		return nil, err
	}
	version, err := common.ParseKubeVersion(req.KubeVersion)
	if err != nil {
		return nil, fmt.Errorf("parse Kubernetes version %q: %w", req.KubeVersion, err)
	}
	cluster := common.DefaultCapabilities.Copy()
	cluster.KubeVersion = *version
	cluster.APIVersions = common.VersionSet(slices.Clone(req.APIVersions))
	options := common.ReleaseOptions{Name: req.ReleaseName, Namespace: req.Namespace, Revision: 1, IsInstall: true}
	top, err := commonutil.ToRenderValuesWithSchemaValidation(c, values, options, cluster, true)
	if err != nil {
		return nil, fail("ValuesInvalid", "The values do not fit chart %s: %s.", c.Name(), err)
	}
	merged, err := top.Table("Values")
	if err != nil {
		return nil, err
	}
	if !req.SkipSchemaValidation {
		if err := validateValues(c, merged, req.Path); err != nil {
			return nil, err
		}
	}
	top["Capabilities"] = &capabilities{cluster}
	return top, nil
}

// missing is a dependency that is enabled and not there.
type missing struct {
	of   *chart.Chart
	dir  string // of the chart that depends on it
	what string
	// As Helm left it, and its chart's own name.
	dependency *chart.Dependency
	name       string
	// The value that decides on it, as the user sets it; empty where none does.
	condition string
}

// missingDependencies names what is enabled and not there, in the chart and in all that it is made of. Helm looks
// at the chart itself only, and leaves out without a word what a subchart lacks.
func (a *assembly) missingDependencies(c *chart.Chart) error {
	all := a.missingIn(c, "", nil)
	if len(all) == 0 {
		return nil
	}
	first := all[0]
	fetch, hint := []dependencyRef(nil), ""
	if !a.packed && !a.whole {
		var err error
		if fetch, hint, err = a.fetchable(c, all); err != nil {
			return err
		}
	}
	var details []detail
	var alike []string
	for _, m := range all {
		message := m.what
		if m.of != c {
			message = fmt.Sprintf("%s, on which chart %s in %s depends", m.what, m.of.Name(), m.dir)
		}
		details = append(details, detail{File: path.Join(m.dir, "Chart.yaml"), Message: message})
		if m.of == first.of {
			alike = append(alike, m.what)
		}
	}
	who := "Chart " + first.of.Name()
	where := "commit the folder charts"
	if first.of != c {
		who += " in " + first.dir
		where = "commit the folder " + path.Join(first.dir, "charts")
	}
	advice := fmt.Sprintf("Run `helm dependency update` and %s, or use a file:// path", where)
	if a.packed {
		advice = "It was packaged without: have who publishes it do that anew, by `helm package --dependency-update`, or use another version"
	}
	if first.condition != "" {
		advice += fmt.Sprintf(", or switch it off (%s: false)", first.condition)
	}
	more := ""
	if len(all) > len(alike) {
		more = fmt.Sprintf(" And %d more in its subcharts.", len(all)-len(alike))
	}
	return &failure{
		Reason:  "DependencyMissing",
		Message: fmt.Sprintf("%s depends on %s, which is not in %s. %s.%s%s", who, strings.Join(alike, ", "), path.Join(first.dir, "charts"), advice, more, hint),
		Details: details,
		Fetch:   fetch,
	}
}

// missingIn goes through a chart and its subcharts after ProcessDependencies, which took out what is switched off.
// above is the path of the chart's values, with a dot at its end.
func (a *assembly) missingIn(c *chart.Chart, above string, all []missing) []missing {
	dir := a.dirOf(c)
	for _, dependency := range c.Metadata.Dependencies {
		if dependency == nil {
			continue
		}
		as := a.declared[dependency]
		if there := as.unfitVersions(dependency.Version); there != "" && dependency.Enabled {
			becomes := "renders without it"
			if vendored(c, dependency) {
				becomes = "renders that one all the same"
			}
			log.Printf("chart %s wants %s, and %s has version %s of it: Helm %s", c.Name(), as.wanted(dependency), path.Join(dir, "charts"), there, becomes)
			continue
		}
		if vendored(c, dependency) {
			continue
		}
		// Nobody decided on the dependencies of a subchart that no Chart.yaml names.
		if !dependency.Enabled && (dependency.Condition != "" || len(dependency.Tags) > 0) {
			continue
		}
		m := missing{of: c, dir: dir, what: as.wanted(dependency), dependency: dependency, name: cmp.Or(as.name, dependency.Name)}
		if dependency.Repository != "" {
			m.what += " from " + dependency.Repository
		}
		if version, ok := a.unfit[[2]string{dir, dependency.Repository}]; ok {
			m.what += fmt.Sprintf(" (there is version %s)", version)
		}
		if condition, _, _ := strings.Cut(strings.TrimSpace(dependency.Condition), ","); condition != "" {
			m.condition = above + condition
		}
		all = append(all, m)
	}
	for _, child := range c.Dependencies() {
		all = a.missingIn(child, above+child.Name()+".", all)
	}
	return all
}

func oneLine(text string) string {
	return strings.Join(strings.Fields(text), " ")
}

func sentence(text string) string {
	if text == "" || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// sourcesOf turns rendered files into objects in Helm's install order: crds/ first, then the rest by kind.
func (e *engine) sourcesOf(c *chart.Chart, rendered, templates map[string]string, where places, next string) ([]source, error) {
	var invalid []detail
	crds := e.definitions(c, where, &invalid)
	names := make([]string, 0, len(rendered))
	for name, text := range rendered {
		if strings.HasSuffix(name, "NOTES.txt") || strings.TrimSpace(text) == "" {
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	var objects []source
	for _, name := range names {
		file := templates[name]
		for _, doc := range e.documents.splitRendered(rendered[name]) {
			if doc.err != nil {
				invalid = append(invalid, invalidDocument(file, doc))
				continue
			}
			doc.warn(file)
			for _, o := range doc.objects {
				h, runs := hookOf(o)
				if runs {
					objects = append(objects, source{object: o, file: file, number: doc.number, hook: h})
				}
			}
		}
	}
	if len(invalid) > 0 {
		return nil, manifestFailure(invalid, next)
	}
	sortByKind(objects)
	return append(crds, objects...), nil
}

// definitions are the objects in crds/ directories. What a subchart repeats is left out, as Helm's install
// passes over it.
func (e *engine) definitions(c *chart.Chart, where places, invalid *[]detail) []source {
	var all []source
	seen := map[string]bool{}
	for _, crd := range c.CRDObjects() {
		file := where[crd.File]
		for _, doc := range e.documents.splitRendered(string(crd.File.Data)) {
			if doc.err != nil {
				*invalid = append(*invalid, invalidDocument(file, doc))
				continue
			}
			doc.warn(file)
			for _, o := range doc.objects {
				key := o.group + "/" + o.kind + "/" + o.namespace + "/" + o.name
				if seen[key] {
					log.Printf("%s in %s is already in another crds/ directory and is left out", o.name, file)
					continue
				}
				seen[key] = true
				all = append(all, source{object: o, file: file, number: doc.number})
			}
		}
	}
	return all
}

func invalidDocument(file string, doc *document) detail {
	message := yamlReason(doc.err)
	line := doc.line
	if within := lineOf(doc.err); line > 0 && within > 0 {
		line += within - 1
		// A file that is no template: the line is the file's own.
		message = strings.Replace(message, fmt.Sprintf("line %d", within), fmt.Sprintf("line %d", line), 1)
	}
	return detail{File: file, Line: line, Message: fmt.Sprintf("%s, document %d: %s", file, doc.number, sentence(message))}
}

// correctInGit ends what is told of manifests that are in the repository.
const correctInGit = "Correct it in Git."

func manifestFailure(invalid []detail, next string) error {
	text := invalid[0].Message
	if len(invalid) > 1 {
		text += fmt.Sprintf(" And %d more.", len(invalid)-1)
	}
	text += " " + next
	return &failure{Reason: "ManifestInvalid", Message: text, Details: invalid}
}

var hookEvents = []string{
	"pre-install", "post-install", "pre-upgrade", "post-upgrade", "pre-rollback", "post-rollback", "pre-delete", "post-delete",
}

// hookOf reads Helm's hook annotations as releaseutil.SortManifests does. Test hooks and, as in Helm, hooks with
// an event that Helm does not know, never run.
func hookOf(o *object) (h *hook, runs bool) {
	declared, ok := o.annotations[release.HookAnnotation]
	if !ok {
		return nil, true
	}
	h = &hook{DeletePolicies: []string{}}
	for event := range strings.SplitSeq(declared, ",") {
		event = strings.ToLower(strings.TrimSpace(event))
		if event == "test" || event == "test-success" {
			continue
		}
		if !slices.Contains(hookEvents, event) {
			log.Printf("%s %s has the unknown hook %q and is left out", o.kind, o.name, event)
			return nil, false
		}
		h.Events = append(h.Events, event)
	}
	if len(h.Events) == 0 {
		return nil, false
	}
	h.Weight, _ = strconv.Atoi(o.annotations[release.HookWeightAnnotation])
	for policy := range strings.SplitSeq(o.annotations[release.HookDeleteAnnotation], ",") {
		switch policy = strings.ToLower(strings.TrimSpace(policy)); policy {
		case "hook-succeeded", "hook-failed", "before-hook-creation":
			h.DeletePolicies = append(h.DeletePolicies, policy)
		}
	}
	if len(h.DeletePolicies) == 0 {
		h.DeletePolicies = []string{"before-hook-creation"}
	}
	return h, true
}

// sortByKind is Helm's install order; objects of one kind keep theirs.
func sortByKind(objects []source) {
	order := make(map[string]int, len(releaseutil.InstallOrder))
	for i, kind := range releaseutil.InstallOrder {
		order[kind] = i
	}
	slices.SortStableFunc(objects, func(a, b source) int {
		first, knownA := order[a.kind]
		second, knownB := order[b.kind]
		switch {
		case knownA && knownB:
			return first - second
		case knownA:
			return -1
		case knownB:
			return 1
		}
		return strings.Compare(a.kind, b.kind)
	})
}

// chartFailure says what is wrong with a chart's own files.
func chartFailure(dir string, err error, packed bool) error {
	var known *failure
	if errors.As(err, &known) {
		return known
	}
	var pointer aPointer
	if errors.As(err, &pointer) {
		return pointerFailure(path.Join(dir, pointer.file))
	}
	text := err.Error()
	file := dir
	for _, name := range []string{"Chart.yaml", "Chart.lock", "values.yaml", "requirements.yaml", "requirements.lock", ".helmignore"} {
		if strings.Contains(text, name) && !strings.Contains(text, "error unpacking subchart") {
			file = path.Join(dir, name)
			break
		}
	}
	next := "Correct it there."
	if packed {
		next = "Use another version, or tell who publishes it."
	}
	return fail("ChartInvalid", "The chart in %s cannot be loaded: %s %s", shown(dir), sentence(yamlReason(err)), next).at(file, lineOf(err))
}
